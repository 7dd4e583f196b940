"""What shows that packing the backpack is about to fail."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rise_robot.sim.backpack_scene import BAG_X, BAG_Y, PIECE_HALF
from rise_robot.sim.cell import ARMS
from rise_robot.sim.milestone_watch import GRASP_S, HAND_M, MilestoneWatch

LEANING = 0.9
"""Cosine of the tilt of a bag that something pulls over."""
LOOSE = 0.85 * 2 * PIECE_HALF[1]
"""m of commanded opening above which clothes slip out of the fingers."""
HIGH = 0.06
"""m above the bag's floor from which clothes fall."""


class BackpackWatch(MilestoneWatch):
    """Of clothes, bag and zip."""

    needed = (19.5, 13.5, 7.5, 3.0, 1.0)

    def signs(self) -> Mapping[str, tuple[bool, float]]:
        """The bag leans; clothes are let go beside it or not caught; a hand closes beside the zip's tab."""
        task = self.robot.task
        view, reached = task.view(), task.rubric.reached
        signs = {"tipped bag": (view.upright < LEANING, 0.0)}
        if reached == 0:
            arm, clothes = task.held_by("clothes"), task.data.body("clothes").xpos
            beside = bool((np.abs(view.pieces[0, :2]) > (BAG_X, BAG_Y)).any()) and view.pieces[0, 2] > HIGH
            missed = not arm and not view.inside and self._closes_at(clothes)
            signs["slip"] = (bool(arm) and beside and self.opening(arm) > LOOSE, 0.0)
            signs["missed grasp"] = (missed, GRASP_S)
        if reached in (2, 3):
            missed = not view.pulled and self._closes_at(task.data.geom("puller").xpos)
            signs["zip missed"] = (missed, GRASP_S)
        return signs

    def _closes_at(self, thing: np.ndarray) -> bool:
        """Whether a hand that holds no handle is closed at `thing` (3,) m."""
        free = [arm for arm in ARMS if not self.robot.task.grips_handle(arm) and self.opening(arm) < LOOSE]
        return any(np.linalg.norm(self.robot.tool_position(arm) - thing) < HAND_M for arm in free)
