"""What shows that sorting bricks is about to fail."""

from __future__ import annotations

import numpy as np

from rise_robot.sim.brick_cell import BrickInfo
from rise_robot.sim.cell import ARMS
from rise_robot.sim.expert import CARRY_Z, OPEN, PICK_X, RELEASE_Z
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.scene import BIN_CENTRES, BIN_HALF, COLOURS

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


class BrickWatch:
    """Sees a failure coming from what the arms and the bricks do."""

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
        wrong = [BIN_CENTRES[arm, colour] for colour in COLOURS if colour != brick.record.spec.colour]
        return any((np.abs(tool[:2] - centre) < BIN_HALF).all() for centre in wrong)
