"""The rubric of Box Closing (Table VII of RISE): what counts as loaded, folded and tucked, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rise_robot.sim.box_scene import BOX_HEIGHT, BOX_X, BOX_Y, CUP_HEIGHT, CUP_RADIUS
from rise_robot.sim.milestones import Judgement

BOX_MILESTONES = ("cup_loaded", "side_flaps_folded", "rear_flap_folded", "tab_tucked")
SIDE_FOLDED, LID_FOLDED, LID_CLOSED = 0.3, 0.5, 0.15  # rad
BENT = 0.7
"""rad; a flap that was once folded this far and stands open at the end has sprung back."""


@dataclass(frozen=True)
class BoxView:
    """What physics shows after a control period; positions in the box frame.

    Attributes:
        cup: (3,) m, middle of the cup. upright: cosine of its tilt.
        held, touched: the cup, by both fingers of one gripper, by any part of a gripper.
        angles: (4,) of FLAPS, rad.
        tab_tip: (3,) m, middle of the tab's edge.
        handled: a gripper touches a flap or the tab.
    """

    cup: np.ndarray
    upright: float
    held: bool
    touched: bool
    angles: np.ndarray
    tab_tip: np.ndarray
    handled: bool

    @property
    def inside(self) -> bool:
        """The cup stands in the box, whoever touches it."""
        within = abs(self.cup[0]) < BOX_X - CUP_RADIUS + 0.008 and abs(self.cup[1]) < BOX_Y - CUP_RADIUS + 0.008
        low = self.cup[2] < CUP_HEIGHT / 2 + 0.02
        return bool(within and low and self.upright > 0.9)

    @property
    def loaded(self) -> bool:
        return self.inside and not self.touched

    @property
    def tipped(self) -> bool:
        """On its side, or off the table, and nobody holds it."""
        return not self.held and (self.upright < 0.7 or self.cup[2] < -0.05)

    @property
    def sides_folded(self) -> bool:
        return bool(max(self.angles[:2]) < SIDE_FOLDED)

    @property
    def tucked(self) -> bool:
        behind_wall = self.tab_tip[2] < BOX_HEIGHT - 0.008 and self.tab_tip[0] > -BOX_X
        return bool(behind_wall and self.angles[2] < LID_CLOSED)


@dataclass(frozen=True)
class BoxMemory:
    """What has happened so far, for the reason of a failure: the cup was touched, lifted; the smallest flap angles."""

    touched: bool = False
    lifted: bool = False
    least: tuple[float, float, float] = (np.inf, np.inf, np.inf)  # of the side flaps and the rear flap, rad

    def updated(self, view: BoxView) -> BoxMemory:
        return replace(
            self,
            touched=self.touched or view.touched,
            lifted=self.lifted or (view.held and bool(view.cup[2] > CUP_HEIGHT / 2 + 0.02)),
            least=tuple(float(min(old, new)) for old, new in zip(self.least, view.angles[:3], strict=True)),
        )


def holds(view: BoxView, milestone: int) -> bool:
    """Whether milestone 0 to 3 holds; 4: whether all stands finished and is let go. What came before must last."""
    if milestone == 0:
        return view.loaded
    if not (view.inside and view.sides_folded):
        return False
    if milestone == 1:
        return True
    if milestone == 2:
        return bool(view.angles[2] < LID_FOLDED)
    return view.tucked and not view.handled


def judge(view: BoxView, memory: BoxMemory, reached: int) -> Judgement:
    """What to tell the rubric of one control period."""
    lost = "tipped cup" if reached == 0 and view.tipped else ""
    return Judgement(holds(view, reached), lost, lapse_reason(view, memory, reached))


def lapse_reason(view: BoxView, memory: BoxMemory, reached: int) -> str:
    """Why nothing more was reached: of the first milestone that is missing."""
    if reached == 0:
        return "slip" if memory.lifted else "missed grasp" if memory.touched else "timeout"
    if not view.inside:
        return "cup out of the box"
    if reached in (1, 2):
        limits = (SIDE_FOLDED, SIDE_FOLDED, LID_FOLDED)[: reached + 1]
        back = any(memory.least[i] < BENT and view.angles[i] > limit for i, limit in enumerate(limits))
        return "flap sprung back" if back else "timeout"
    if view.angles[2] > LID_FOLDED or not view.sides_folded or reached == 4:
        return "flap sprung back"
    return "timeout" if view.tucked else "tab outside"


def stage_progress(view: BoxView, reached: int, reach: float) -> float:
    """Progress within the running stage, in [0, 1); `reach` is the distance of the nearer tool to the cup, m."""
    if reached == 0:
        if not view.held:
            return 0.3 * float(np.exp(-reach / 0.12))
        return 0.4 + 0.5 * float(np.exp(-np.linalg.norm(view.cup[:2]) / 0.1))
    if reached == 1:
        return 0.9 * float(np.mean(1.0 - np.clip(view.angles[:2] / 1.9, 0.0, 1.0)))
    if reached == 2:
        return 0.9 * float(1.0 - np.clip(view.angles[2] / 1.9, 0.0, 1.0))
    return 0.9 * float(np.clip(view.angles[3] / 1.7, 0.0, 1.0)) * float(np.clip(1.2 - view.angles[2], 0.0, 1.0))
