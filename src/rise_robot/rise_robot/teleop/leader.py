"""Follows leader arms: a second pair of arms that a person moves by hand."""

from __future__ import annotations

import numpy as np

from rise_robot.core.contract import Contract


class LeaderFollower:
    """The followers begin where they are and come together with the leaders while these move.

    When a person takes over, leaders and followers stand differently. The difference becomes an offset, so nothing
    jumps, and the offset shrinks by `align_speed` (rad/s; grippers a tenth of it in m/s) until both agree.
    """

    def __init__(self, contract: Contract, align_speed: float) -> None:
        self._lower, self._upper = contract.joint_array("lower"), contract.joint_array("upper")
        scale = np.array([1.0 if joint.unit == "rad" else 0.1 for joint in contract.joints])
        self._shrink = scale * align_speed * contract.control_period_s
        self._offset = np.zeros(contract.action_dim)

    @property
    def misalignment(self) -> float:
        """The largest offset, rad or m."""
        return float(np.abs(self._offset).max())

    def anchor(self, leader: np.ndarray, command: np.ndarray) -> None:
        """Start from a command (A,) while the leaders are measured at `leader` (A,)."""
        self._offset = command - leader

    def step(self, leader: np.ndarray) -> np.ndarray:
        """(A,) the next target."""
        self._offset -= np.clip(self._offset, -self._shrink, self._shrink)
        return np.clip(leader + self._offset, self._lower, self._upper)
