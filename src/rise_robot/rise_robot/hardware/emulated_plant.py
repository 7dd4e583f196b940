"""How the joints of the emulated arm move: first-order position loops, the firmware's velocity limit, gravity."""

from __future__ import annotations

import numpy as np

from rise_robot.hardware.piper_messages import JOINTS

LOWER = np.array([-2.618, 0.0, -2.967, -1.745, -1.22, -2.094])
UPPER = np.array([2.618, 3.14, 0.0, 1.745, 1.22, 2.094])
"""(6,) rad, joint limits of the firmware."""
MAX_VELOCITY = 3.0  # rad/s at a speed of 100 %
GRIPPER_STROKE, GRIPPER_VELOCITY = 0.07, 0.3  # m, m/s
TIME_CONSTANT = 0.04  # s, of a position loop
REST = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
"""(6,) rad, where an arm without power ends up; only joints 2, 3 and 5 carry weight."""
_WEIGHT = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
SINK_VELOCITY = 0.15  # rad/s under the damping of an emergency stop
DROP_VELOCITY = 1.5  # rad/s without power


class EmulatedPlant:
    """Six joints and a gripper.

    Attributes:
        positions: (6,) rad.
        velocities: (6,) rad/s of the last step.
        opening: gripper, m.
        stuck: (6,) bool, joints that something blocks.
    """

    def __init__(self, positions: np.ndarray = REST, opening: float = 0.0) -> None:
        self.positions = np.array(positions, float)
        self.velocities = np.zeros(JOINTS)
        self.opening = opening
        self.stuck = np.zeros(JOINTS, bool)

    def track(self, targets: np.ndarray, powered: np.ndarray, speed: float, dt: float) -> None:
        """One step of `dt` s towards `targets` (6,) rad; joints that are not `powered` (6,) drop.

        Args:
            speed: fraction of MAX_VELOCITY that is allowed.
        """
        wanted = (targets - self.positions) / max(TIME_CONSTANT, dt)
        driven = np.clip(wanted, -speed * MAX_VELOCITY, speed * MAX_VELOCITY)
        self._move(np.where(powered, driven, self._falling(DROP_VELOCITY, dt)), dt)

    def sink(self, powered: np.ndarray, dt: float) -> None:
        """One step of an emergency stop: powered joints sink slowly, the others drop."""
        self._move(np.where(powered, self._falling(SINK_VELOCITY, dt), self._falling(DROP_VELOCITY, dt)), dt)

    def grip(self, opening: float, dt: float) -> None:
        """One step of the gripper towards an opening in m."""
        way = np.clip(opening, 0.0, GRIPPER_STROKE) - self.opening
        self.opening += float(np.clip(way, -GRIPPER_VELOCITY * dt, GRIPPER_VELOCITY * dt))

    def _falling(self, velocity: float, dt: float) -> np.ndarray:
        """(6,) rad/s towards REST, at most `velocity`."""
        return _WEIGHT * np.clip((REST - self.positions) / dt, -velocity, velocity)

    def _move(self, velocities: np.ndarray, dt: float) -> None:
        self.velocities = np.where(self.stuck, 0.0, velocities)
        self.positions = np.clip(self.positions + self.velocities * dt, LOWER, UPPER)
