"""Corrections in simulation: an expert takes over from a policy upon imminent failure and finishes the episode.

The single-intervention protocol of the paper (baseline DAgger of Sec. XIII): once taken over, never handed back.
"""

from __future__ import annotations

import numpy as np

from rise_robot.sim.brick_cell import BrickInfo
from rise_robot.sim.cell import ARMS
from rise_robot.sim.episode import Agent
from rise_robot.sim.expert import CARRY_Z, OPEN, PICK_X, RELEASE_Z, BrickSortingExpert
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.scene import BIN_HALF, COLOURS, bin_centre

CLOSING = 0.65 * OPEN
"""m of commanded opening below which an arm is said to grasp."""
PATIENCE_S = 0.5
"""How long an arm may grasp without holding its brick before the grasp counts as missed; the expert needs 0.35 s."""
LAST_CHANCE_M = 0.08
"""Distance of a brick to the place from which no expert can reach it in time any more."""
LOW_Z = 0.5 * (CARRY_Z + RELEASE_Z)
"""m, height of the tool below which a brick is about to be put down."""
NEAR_M = 0.06
"""Distance of tool and brick within which the arm is left to try."""


class FailureWatch:
    """Sees a failure coming, as a person beside the robot would: from what the arms and the bricks do."""

    def __init__(self, robot: SimulatedRobot) -> None:
        self.robot = robot
        self.reset()

    def reset(self) -> None:
        """An episode begins."""
        self._grasping = dict.fromkeys(ARMS, 0)  # control periods in a row

    def reason(self) -> str:
        """Once per control period: what is about to go wrong, "" for nothing."""
        for n, arm in enumerate(ARMS):
            closing = self.robot.command[7 * n + 6] < CLOSING
            self._grasping[arm] = self._grasping[arm] + 1 if closing else 0
        reasons = [self._reason(brick) for brick in self.robot.task.bricks if brick.record.entered]
        return next(filter(None, reasons), "")

    def _reason(self, brick: BrickInfo) -> str:
        record, arm = brick.record, brick.record.spec.arm
        if record.fate:
            return ""
        if record.held_by:
            return "wrong bin" if self._over_wrong_bin(brick) else ""
        if not brick.view.on_belt:
            return ""
        if self._grasping[arm] * self.robot.contract.control_period_s > PATIENCE_S:
            return "missed grasp"
        speed = self.robot.task.setup.belt_speed
        leaving = brick.view.position[0] - 0.5 * speed < PICK_X[0] + LAST_CHANCE_M
        away = np.linalg.norm((self.robot.tool_position(arm) - brick.view.position)[:2]) > NEAR_M
        return "too late" if leaving and away else ""

    def _over_wrong_bin(self, brick: BrickInfo) -> bool:
        arm = brick.record.held_by
        tool = self.robot.tool_position(arm)
        if tool[2] > LOW_Z:
            return False
        wrong = [bin_centre(arm, colour) for colour in COLOURS if colour != brick.record.spec.colour]
        return any((np.abs(tool[:2] - centre) < BIN_HALF).all() for centre in wrong)


class InterventionAgent:
    """Commands of `agent` until a failure is imminent, then those of the expert; `human` says which.

    Args:
        agent: the policy; it goes on observing but is not asked any more after the intervention.
    """

    def __init__(self, robot: SimulatedRobot, agent: Agent, rng: np.random.Generator) -> None:
        self.agent, self.watch = agent, FailureWatch(robot)
        self.expert = BrickSortingExpert(robot, rng)
        self.reset()

    def reset(self) -> None:
        """An episode begins with the policy in command."""
        self.agent.reset()
        self.watch.reset()
        self.reason = ""

    @property
    def human(self) -> bool:
        """The last command was the expert's, who stands for the person."""
        return bool(self.reason)

    def observe(self, stamp: int, joint_positions: np.ndarray, images: dict[str, np.ndarray]) -> None:
        """Passed on to the policy."""
        observe = getattr(self.agent, "observe", None)
        if observe is not None:
            observe(stamp, joint_positions, images)

    def action(self) -> np.ndarray:
        """(A,) the next command."""
        if not self.reason and (reason := self.watch.reason()):
            self.reason = reason
            self.expert.reset()
        return self.expert.action() if self.reason else self.agent.action()
