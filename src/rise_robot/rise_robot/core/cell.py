"""Where the arms stand and where they may be (config/cell.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rise_robot.core.contract import Contract
from rise_robot.core.errors import ContractMismatchError, SafetyError

JOINTS_PER_ARM = 7


@dataclass(frozen=True)
class ArmMount:
    """One arm's base in the world frame: position (3,) m, turned by `yaw` rad about z."""

    name: str
    base: np.ndarray
    yaw: float

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) m in the world frame of points in the arm's base frame."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        turned: np.ndarray = points @ np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]]) + self.base
        return turned


@dataclass(frozen=True)
class Cell:
    """Mounts and free space of one robot.

    Attributes:
        robot: `Contract.robot` that it belongs to.
        lower, upper: (3,) m, corners of the workspace box in the world frame.
        arm_clearance: smallest allowed distance between the surfaces of two arms, m.
    """

    robot: str
    arms: tuple[ArmMount, ...]
    lower: np.ndarray
    upper: np.ndarray
    arm_clearance: float

    def require(self, contract: Contract) -> None:
        """Raise ContractMismatchError unless this is a cell of the contract's robot, with its arms in its order."""
        if self.robot != contract.robot or JOINTS_PER_ARM * len(self.arms) != contract.action_dim:
            raise ContractMismatchError(
                f"the cell is of {self.robot} with {len(self.arms)} arms, the contract of {contract.robot} with "
                f"{contract.action_dim} joints; give the cell file of this robot, or none to go without the guard"
            )
        for number, arm in enumerate(self.arms):
            joints = contract.joint_names[JOINTS_PER_ARM * number :][:JOINTS_PER_ARM]
            if not all(joint.startswith(f"{arm.name}_") for joint in joints):
                raise ContractMismatchError(
                    f"arm {number + 1} of the cell is {arm.name}, but the contract has {', '.join(joints)} there; list "
                    "the arms as the contract does"
                )

    @classmethod
    def load(cls, path: str | Path) -> Cell:
        """Raises SafetyError naming the file and what is wrong with it."""
        try:
            return cls._parse(yaml.safe_load(Path(path).read_text()))
        except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            raise SafetyError(
                f"{path} is no cell file: {type(error).__name__} {error}; see config/cell.yaml"
            ) from error

    @classmethod
    def _parse(cls, raw: dict[str, Any]) -> Cell:
        arms = tuple(ArmMount(arm["name"], _vector(arm["base"]), float(arm["yaw"])) for arm in raw["arms"])
        lower, upper = _vector(raw["workspace"]["lower"]), _vector(raw["workspace"]["upper"])
        if not arms or not (lower < upper).all():
            raise ValueError(f"it needs an arm, and lower {lower.tolist()} below upper {upper.tolist()}")
        return cls(str(raw["robot"]), arms, lower, upper, float(raw["arm_clearance"]))


def _vector(values: list[float]) -> np.ndarray:
    vector = np.array(values, dtype=float)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise ValueError(f"expected three finite numbers, got {values}")
    return vector
