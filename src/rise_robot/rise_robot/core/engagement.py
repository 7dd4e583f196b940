"""How commands take over joints that stand elsewhere: from where they are measured, slowly.

A command that engages may lie `engage_tolerance` from the measured joints. Sent as it is, the firmware would cover that
at its own pace, which is the fastest there is; a stop that stands on an old target would snap the arms to it.
"""

from __future__ import annotations

import numpy as np

from rise_robot.core.contract import Contract


class Engagement:
    """Adds to the commands what is left of the first one's distance from the measured joints.

    Grippers are left alone: the firmware paces them, and their force is bounded.

    Args:
        contract: joints and limits.
        velocity: rad/s at which the distance is given up; it adds to that of the commands.
    """

    def __init__(self, contract: Contract, velocity: float) -> None:
        self._lower, self._upper = contract.joint_array("lower"), contract.joint_array("upper")
        self._revolute = np.array([joint.unit == "rad" for joint in contract.joints])
        self._velocity = velocity
        self._offset = np.zeros(contract.action_dim)
        self._last_ns = 0

    @property
    def offset(self) -> np.ndarray:
        """(A,) rad by which the next target still differs from its command."""
        return self._offset.copy()

    def begin(self, stamp_ns: int, command: np.ndarray, measured: np.ndarray) -> None:
        """`command` (A,), stamped now, is the first one that joints at `measured` (A,) obey."""
        self._offset = np.where(self._revolute, measured - command, 0.0)
        self._last_ns = stamp_ns

    def target(self, stamp_ns: int, command: np.ndarray) -> np.ndarray:
        """(A,) rad, grippers m, to send for `command` (A,); stamps in ns ascend."""
        given_up = self._velocity * (stamp_ns - self._last_ns) * 1e-9
        self._offset = np.sign(self._offset) * np.maximum(np.abs(self._offset) - given_up, 0.0)
        self._last_ns = stamp_ns
        inside = np.clip(command + self._offset, self._lower, self._upper)
        return np.where(self._offset == 0.0, command, inside)
