"""Which columns and videos of a LeRobot dataset are the joints and cameras of a contract.

    cameras: {top: observation.images.head, wrist: observation.images.hand_left}
    state:                                  # in the order of the contract's joints
      - {column: observation.states.joint.position, indices: [0, 1, 2, 3, 4, 5, 6]}
      - {column: observation.states.effector.position, indices: [0], scale: 0.001}
    action:
      - {column: actions.joint.position, indices: [0, 1, 2, 3, 4, 5, 6]}
      - {column: actions.effector.position, indices: [0], scale: 0.001}
    delta: false                            # true: actions add to the state, those of one control step together; a part
                                            # of `action` may have its own: steps of a pose, and a gripper's opening
    outcome: success                        # of every episode; unknown when nobody judged

Without a file a camera NAME is `observation.images.NAME`, and joints are `observation.state` and `action` in order.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rise_learning.errors import ConfigError
from rise_robot.core.contract import Contract
from rise_robot.core.episodes import OUTCOMES, Outcome

STATE, ACTION, IMAGES = "observation.state", "action", "observation.images."


@dataclass(frozen=True)
class Part:
    """Some numbers of one column: `scale * column[indices] + offset`, in rad and m.

    Attributes:
        delta: of an action, as that of the mapping, which None takes.
    """

    column: str
    indices: tuple[int, ...]
    scale: float = 1.0
    offset: float = 0.0
    delta: bool | None = None

    def of(self, table: np.ndarray) -> np.ndarray:
        """(T, D) of the column -> (T, len(indices))."""
        return self.scale * table[:, self.indices] + self.offset


@dataclass(frozen=True)
class LerobotMapping:
    """Read from YAML; fields as in the module's example."""

    cameras: dict[str, str]
    state: tuple[Part, ...]
    action: tuple[Part, ...]
    delta: bool = False
    outcome: Outcome = "unknown"
    columns: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ConfigError(f"mapping: outcome {self.outcome!r} is not one of {', '.join(OUTCOMES)}")
        object.__setattr__(self, "columns", frozenset(part.column for part in (*self.state, *self.action)))

    @property
    def steps(self) -> np.ndarray:
        """(A,) bool, which actions add to the state."""
        parts = [(len(part.indices), self.delta if part.delta is None else part.delta) for part in self.action]
        return np.repeat([delta for _, delta in parts], [count for count, _ in parts])

    @classmethod
    def load(cls, path: Path | None, contract: Contract) -> LerobotMapping:
        """The mapping of a file, or the obvious one; checked against `contract`.

        Raises:
            ConfigError: unreadable, unknown fields, or not the contract's cameras and joints.
        """
        if path is None:
            every = tuple(range(contract.action_dim))
            cameras = {name: IMAGES + name for name in contract.camera_names}
            return cls(cameras, (Part(STATE, every),), (Part(ACTION, every),))
        try:
            raw: Any = yaml.safe_load(path.read_text())
            fields: dict[str, Any] = {
                name: _parts(value) if name in ("state", "action") else value for name, value in raw.items()
            }
            mapping = cls(**fields)
        except (OSError, yaml.YAMLError, TypeError, AttributeError) as error:
            known = ", ".join(item.name for item in dataclasses.fields(cls) if item.init)
            raise ConfigError(f"mapping {path} cannot be read ({error}); it has the fields {known}") from error
        mapping._check(path, contract)
        return mapping

    def _check(self, path: Path, contract: Contract) -> None:
        if set(self.cameras) != set(contract.camera_names):
            raise ConfigError(f"{path} maps cameras {sorted(self.cameras)}, the contract has {contract.camera_names}")
        for name in ("state", "action"):
            count = sum(len(part.indices) for part in getattr(self, name))
            if count != contract.action_dim:
                raise ConfigError(
                    f"{path}: {name} has {count} numbers, the contract {contract.action_dim} joints "
                    f"({', '.join(contract.joint_names)})"
                )


def _parts(raw: list[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(**{**part, "indices": tuple(part["indices"])}) for part in raw)
