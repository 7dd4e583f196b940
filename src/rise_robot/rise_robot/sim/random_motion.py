"""Smooth random motion of both arms, for pre-training a dynamics model: commands that know no task (Sec. III-D)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.sim.cell import ARM_SIDE, ARMS
from rise_robot.sim.expert import GRIPPER_SPEED, OPEN, tool_rotation
from rise_robot.sim.ik import WORKING, solve_ik
from rise_robot.sim.motion import JointReference
from rise_robot.sim.robot import SimulatedRobot

REACH = (np.array([0.20, 0.02, 0.05]), np.array([0.46, 0.22, 0.22]))
"""m, corners of the box of tool targets: forwards, outwards on the arm's own side, up."""
HOLD_S = (0.3, 1.8)
"""How long a target stands, lowest and highest."""


@dataclass(frozen=True)
class Aim:
    """Where one arm is going: joints (6,) rad and opening in m, until `until` s of simulated time."""

    joints: np.ndarray
    opening: float
    until: float


class RandomMotion:
    """Both arms wander between random tool targets, grippers open and close; an `Agent` of `episode.py`.

    Attributes:
        clean_action: (A,) the last action: nothing is added to it.
    """

    def __init__(self, robot: SimulatedRobot, rng: np.random.Generator) -> None:
        self.robot, self.rng = robot, rng
        self._lower, self._upper = robot.contract.joint_array("lower"), robot.contract.joint_array("upper")
        self.reset()

    def reset(self) -> None:
        """Start anew from the robot's current state."""
        self.clean_action = self.robot.command
        parts = self.clean_action.reshape(len(ARMS), 7)
        self._references = {arm: JointReference(part[:6], np.zeros(6)) for arm, part in zip(ARMS, parts, strict=True)}
        self._openings = {arm: float(part[6]) for arm, part in zip(ARMS, parts, strict=True)}
        self._aims = {arm: self._aim(arm) for arm in ARMS}

    def action(self) -> np.ndarray:
        """(A,) the next command: rad, grippers in m."""
        period, command = self.robot.contract.control_period_s, []
        for arm in ARMS:
            if self.robot.time >= self._aims[arm].until:
                self._aims[arm] = self._aim(arm)
            aim = self._aims[arm]
            self._references[arm] = self._references[arm].towards(aim.joints, period)
            step = GRIPPER_SPEED * period
            self._openings[arm] += float(np.clip(aim.opening - self._openings[arm], -step, step))
            command.append(np.append(self._references[arm].position, self._openings[arm]))
        self.clean_action = np.clip(np.concatenate(command), self._lower, self._upper)
        return self.clean_action

    def _aim(self, arm: str) -> Aim:
        forwards, outwards, up = self.rng.uniform(*REACH)
        target = np.array([forwards, ARM_SIDE[arm] * outwards, up])
        n = 7 * ARMS.index(arm)
        joints = solve_ik(
            self.robot.kinematics,
            target - self.robot.arm_base(arm),
            tool_rotation(),
            WORKING,
            self._lower[n : n + 6],
            self._upper[n : n + 6],
        )
        opening = float(self.rng.uniform(0.0, OPEN))
        return Aim(joints, opening, self.robot.time + float(self.rng.uniform(*HOLD_S)))
