"""Moves one hand at a time through inverse kinematics, as a gamepad or keyboard asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.core.cell import JOINTS_PER_ARM, Cell
from rise_robot.core.contract import Contract
from rise_robot.sim.ik import rotation_error, solve_ik
from rise_robot.sim.kinematics import PiperKinematics


@dataclass(frozen=True)
class JogConfig:
    """Full deflection moves the hand by `speed` m/s, turns it by `turn` rad/s and the gripper by `grip` m/s.

    Attributes:
        ramp_s: from rest to full speed.
        leash: m and `leash_angle` rad: how far the wanted pose may run ahead of what the joints can do.
    """

    speed: float = 0.15
    turn: float = 0.8
    grip: float = 0.08
    ramp_s: float = 0.15
    leash: float = 0.02
    leash_angle: float = 0.15


class CartesianJog:
    """Turns motions into joint targets; the arm that is not moved keeps its own.

    Raises:
        ContractMismatchError: the cell is of another robot.
    """

    def __init__(self, contract: Contract, cell: Cell, config: JogConfig | None = None) -> None:
        cell.require(contract)
        self._cell, self.config = cell, config or JogConfig()
        self._kinematics = PiperKinematics(contract.dh_convention)
        self._lower, self._upper = contract.joint_array("lower"), contract.joint_array("upper")
        self._step = 0.5 * contract.joint_array("max_velocity") * contract.control_period_s
        self._period, self._arm = contract.control_period_s, 0
        self._joints, self._velocity = np.zeros(contract.action_dim), np.zeros(7)
        self.anchor(self._lower)

    @property
    def arm(self) -> str:
        """The arm that moves."""
        return self._cell.arms[self._arm].name

    def switch_arm(self) -> str:
        """Move the next arm from now on; its name."""
        self._arm = (self._arm + 1) % len(self._cell.arms)
        self.anchor(self._joints)
        return self.arm

    def anchor(self, command: np.ndarray) -> None:
        """Start at rest from a command (A,)."""
        self._joints, self._velocity = command.copy(), np.zeros(7)
        self._position, self._rotation = self._kinematics.tool(self._joints[self._mine][:6])

    def step(self, motion: np.ndarray, command: np.ndarray) -> np.ndarray:
        """(A,) the next target.

        Args:
            motion: (7,) along bindings.MOTIONS, -1..1.
            command: (A,) what the controller sent last: a target that it does not follow (limits, clearance) is not
                pushed farther away.
        """
        full = np.array([*3 * [self.config.speed], *3 * [self.config.turn], self.config.grip])
        change = full * self._period / self.config.ramp_s
        self._velocity += np.clip(motion * full - self._velocity, -change, change)
        self._stay_near(command)
        yaw = self._cell.arms[self._arm].yaw
        to_base = _turn(np.array([0.0, 0.0, -yaw]))
        self._position = self._position + to_base @ self._velocity[:3] * self._period
        self._rotation = _turn(to_base @ self._velocity[3:6] * self._period) @ self._rotation
        self._solve()
        return self._joints.copy()

    @property
    def _mine(self) -> slice:
        return slice(JOINTS_PER_ARM * self._arm, JOINTS_PER_ARM * (self._arm + 1))

    def _solve(self) -> None:
        mine, before = self._mine, self._joints[self._mine]
        lower, upper, step = self._lower[mine], self._upper[mine], self._step[mine]
        arm = solve_ik(self._kinematics, self._position, self._rotation, before[:6], lower[:6], upper[:6])
        opening = before[6] + self._velocity[6] * self._period
        self._joints[mine] = np.clip(np.clip(np.append(arm, opening), before - step, before + step), lower, upper)
        position, rotation = self._kinematics.tool(self._joints[mine][:6])
        ahead = self._position - position
        self._position = position + ahead * min(1.0, self.config.leash / max(float(np.linalg.norm(ahead)), 1e-9))
        if np.linalg.norm(rotation_error(self._rotation, rotation)) > self.config.leash_angle:
            self._rotation = rotation

    def _stay_near(self, command: np.ndarray) -> None:
        """Where the controller stopped the arm, the target waits a few steps ahead."""
        mine = self._mine
        near = np.clip(self._joints[mine], command[mine] - 4 * self._step[mine], command[mine] + 4 * self._step[mine])
        if (near != self._joints[mine]).any():
            self._joints[mine] = near
            self._position, self._rotation = self._kinematics.tool(near[:6])


def _turn(vector: np.ndarray) -> np.ndarray:
    """(3, 3) rotation by |vector| rad about `vector` (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: np.ndarray = np.eye(3) + np.sin(angle) * k + (1.0 - np.cos(angle)) * k @ k
    return rotation
