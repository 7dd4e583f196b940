"""Paths of joints moved aside: the tools go where they went, a given distance away."""

from __future__ import annotations

import numpy as np

from rise_robot.core.cell import JOINTS_PER_ARM
from rise_robot.core.contract import Contract
from rise_robot.core.errors import ContractMismatchError
from rise_robot.sim.kinematics import PiperKinematics

EVERY = 5
"""Control steps between two Jacobians; arms turn little meanwhile."""
DAMPING = 1e-3
"""Of the least squares: near singular poses the tool moves less rather than the joints far."""


class ToolShift:
    """Differential kinematics of every arm of a contract; the tools keep their orientation.

    Raises:
        ContractMismatchError: the robot does not consist of Piper arms.
    """

    def __init__(self, contract: Contract) -> None:
        self.arms, rest = divmod(contract.action_dim, JOINTS_PER_ARM)
        if rest or not contract.robot.startswith("agilex_piper"):
            raise ContractMismatchError(
                f"tools can be moved aside of AgileX Piper arms; contract {contract.name} is of {contract.robot}"
            )
        self._lower, self._upper = contract.joint_array("lower"), contract.joint_array("upper")
        self._kinematics = PiperKinematics(contract.dh_convention)

    def __call__(self, path: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Joints that lead the tools beside where `path` leads them.

        Args:
            path: (K, A) rad and m.
            offsets: (K, arms, 3) m, in the base frames.

        Returns:
            (K, A), within the contract's limits.
        """
        moved = path.astype(float)
        for arm in range(self.arms):
            joints = slice(arm * JOINTS_PER_ARM, arm * JOINTS_PER_ARM + 6)
            if not offsets[:, arm].any():
                continue
            for first in range(0, len(path), EVERY):
                _, _, jacobian = self._kinematics.tool_and_jacobian(path[first, joints])
                inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING * np.eye(6))
                rows = slice(first, first + EVERY)
                moved[rows, joints] += offsets[rows, arm] @ inverse[:, :3].T
        return np.clip(moved, self._lower, self._upper)
