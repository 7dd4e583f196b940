"""What shows that closing the box is about to fail."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rise_robot.sim.box_scene import CUP_HEIGHT, CUP_RADIUS
from rise_robot.sim.cell import ARMS
from rise_robot.sim.milestone_watch import GRASP_S, HAND_M, LEFT_S, MilestoneWatch

TILTED = 0.985
"""Cosine of the tilt of a cup that something pushes over."""
LOOSE = 0.85 * 2 * CUP_RADIUS
"""m of commanded opening above which a cup slips out of the fingers."""
HIGH = 0.03
"""m above its stand from which a cup does not land upright."""


class BoxWatch(MilestoneWatch):
    """Of cup and flaps."""

    needed = (17.5, 12.5, 8.5, 4.0, 1.0)

    def signs(self) -> Mapping[str, tuple[bool, float]]:
        """The cup is pushed over, let go in the air or not caught; flaps that were folded stand open untouched."""
        task = self.robot.task
        view, reached = task.view(), task.rubric.reached
        open_again = reached in (1, 2) and task.failure_now == "flap sprung back" and not view.handled
        if reached > 0:
            return {"flap sprung back": (open_again, LEFT_S)}
        arm, cup = task.held_by("cup"), task.data.body("cup").xpos
        high = cup[2] > CUP_HEIGHT / 2 + HIGH
        near = [a for a in ARMS if np.linalg.norm(self.robot.tool_position(a) - cup) < HAND_M]
        return {
            "slip": (bool(arm) and high and self.opening(arm) > LOOSE, 0.0),
            "tipped cup": (not arm and view.upright < TILTED, 0.0),
            "missed grasp": (not arm and any(self.opening(a) < LOOSE for a in near), GRASP_S),
        }
