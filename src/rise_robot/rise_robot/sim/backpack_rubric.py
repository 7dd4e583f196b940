"""The rubric of Backpack Packing (Table VII of RISE): what is inserted, settled and zipped, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rise_robot.sim.backpack_scene import BAG_HEIGHT, BAG_X, BAG_Y
from rise_robot.sim.milestones import Judgement

BACKPACK_MILESTONES = ("clothes_inserted", "contents_settled", "half_zipped", "zipped")
LIFT = 0.04  # m, by which the bag must leave the table for its contents to settle
HALF, WHOLE = 0.5, 0.95  # progress of the zip
ON_TABLE = 0.012  # m, height of the bag's floor below which it stands on the table


@dataclass(frozen=True)
class BackpackView:
    """What physics shows after a control period.

    Attributes:
        pieces: (3, 3) m, middles of the clothes in the bag frame.
        held, touched: the clothes, by both fingers of one gripper, by any part of a gripper.
        height: m, of the bag's floor above the table. upright: cosine of its tilt.
        zipped: progress of the zip, 0 to 1. jammed: something is caught in it.
        pulled: a gripper touches the puller.
    """

    pieces: np.ndarray
    held: bool
    touched: bool
    height: float
    upright: float
    zipped: float
    jammed: bool
    pulled: bool

    @property
    def inside(self) -> bool:
        """Every piece of the clothes lies within the walls."""
        within = np.abs(self.pieces[:, :2]) < (BAG_X, BAG_Y)
        return bool(within.all() and self.pieces[:, 2].max() < BAG_HEIGHT and self.pieces[:, 2].min() > 0.0)

    @property
    def standing(self) -> bool:
        return self.height < ON_TABLE and self.upright > 0.97

    @property
    def tipped(self) -> bool:
        return self.upright < 0.6


@dataclass(frozen=True)
class BackpackMemory:
    """What has happened so far: clothes touched and lifted, the bag lifted with them inside, puller touched, jams."""

    touched: bool = False
    lifted: bool = False
    raised: bool = False
    pulled: bool = False

    def updated(self, view: BackpackView) -> BackpackMemory:
        return replace(
            self,
            touched=self.touched or view.touched,
            lifted=self.lifted or (view.held and bool(view.pieces[0, 2] > 0.06)),
            raised=self.raised or (view.inside and view.height > LIFT and view.upright > 0.9),
            pulled=self.pulled or view.pulled,
        )


def holds(view: BackpackView, memory: BackpackMemory, milestone: int) -> bool:
    """Whether milestone 0 to 3 holds; 4: whether everything stands finished and is let go. Clothes must stay inside."""
    if not view.inside:
        return False
    if milestone == 0:
        return not view.touched
    if milestone == 1:
        return memory.raised and view.standing
    if milestone == 2:
        return view.zipped >= HALF and not view.jammed
    return view.zipped >= WHOLE and not view.jammed and view.standing and not view.pulled


def judge(view: BackpackView, memory: BackpackMemory, reached: int) -> Judgement:
    """What to tell the rubric of one control period."""
    return Judgement(
        holds(view, memory, reached), "tipped bag" if view.tipped else "", lapse_reason(view, memory, reached)
    )


def lapse_reason(view: BackpackView, memory: BackpackMemory, reached: int) -> str:
    """Why nothing more was reached: of the first milestone that is missing."""
    if reached == 0:
        return "slip" if memory.lifted else "missed grasp" if memory.touched else "timeout"
    if reached > 1 and view.jammed:
        return "stuck zip"
    if not view.inside:
        return "clothes out of the bag"
    if reached == 1:
        return "slip" if memory.raised else "not lifted"
    if view.zipped >= WHOLE:
        return "stuck zip"
    return "zip not pulled through" if memory.pulled else "zip missed"


def stage_progress(view: BackpackView, memory: BackpackMemory, reached: int, reach: float) -> float:
    """Progress within the running stage, in [0, 1); `reach` is the distance of the nearer tool to the clothes, m."""
    if reached == 0:
        if not view.held:
            return 0.3 * float(np.exp(-reach / 0.12))
        return 0.4 + 0.5 * float(np.exp(-np.linalg.norm(view.pieces[0, :2]) / 0.1))
    if reached == 1:
        return 0.6 if memory.raised else 0.6 * float(np.clip(view.height / LIFT, 0.0, 1.0))
    done = view.zipped / HALF if reached == 2 else (view.zipped - HALF) / (WHOLE - HALF)
    return 0.9 * float(np.clip(done, 0.0, 1.0))
