"""Where objects on a belt go: along with it, and with the fingers that close around them.

A map that leaves a grasped brick on its belt says the same of a grasp and of a miss, and what dynamics know of the one
that it was is gone a few frames later. Nothing is decided here: fingers that will slip in the end carry a box as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rise_robot.sim.last_seen import OBJECT, Sighting
from rise_robot.sim.object_boxes import ObjectBox

CLOSED = 0.004
"""m by which the opening may exceed an object that the fingers have closed on."""
OPEN = 0.01
"""m by which it exceeds one that they let go."""
ASIDE = 0.005
"""m by which fingers that come down beside an object push it between them."""
REACH = 0.035
"""m along the tool, from the point between the fingertips to the middle of what they hold."""
WIDEST = 0.07
"""m between open fingers."""
INSIDE = 0.9
"""Of a pixel that a box covers, to say what the box looks like."""
SHOWN = 0.35
"""Of these pixels must differ from the empty cell where raised fingers hold something: nothing makes less than .1, a
brick whose colour is near to that of what lies behind .4."""


@dataclass(frozen=True)
class Fingers:
    """One gripper at T frames.

    Attributes:
        point: (T, 3) m, between the fingertips.
        axes: (T, 3, 3), of the tool, as columns: fingers open along the second.
        opening: (T,) m.
    """

    point: np.ndarray
    axes: np.ndarray
    opening: np.ndarray

    def close(self, frame: int, width: float) -> bool:
        """Whether they close on something so wide between the frame before and this one."""
        before, now = self.opening[frame - 1 : frame + 1]
        return bool(now <= width + CLOSED < before)

    def around(self, frame: int, box: ObjectBox) -> bool:
        """Whether the box is between them, or so little aside that they push it there."""
        along, across, high = np.abs(self.seen_from(frame, box))
        length, width, _ = box.size
        return bool(along <= length / 2 + ASIDE and across <= (WIDEST - width) / 2 + ASIDE and high <= REACH)

    def seen_from(self, frame: int, box: ObjectBox) -> np.ndarray:
        """(3,) middle of the box in axes of the tool."""
        middle: np.ndarray = self.axes[frame].T @ (box.middle - self.point[frame])
        return middle


@dataclass(frozen=True)
class _Held:
    """By whom, since what frame, and how the box was then: (3,) in axes of the tool, (3, 3) its own axes."""

    fingers: Fingers
    since: int
    offset: np.ndarray
    turned: np.ndarray

    def at(self, frame: int, box: ObjectBox, belt: float) -> ObjectBox:
        """Until it is lifted by half its height, what hides the belt hides it: the hand, from above."""
        axes = self.fingers.axes
        middle = self.fingers.point[frame] + axes[frame] @ self.offset
        turned = axes[frame] @ axes[self.since].T @ self.turned
        return replace(box, middle=middle, turned=turned, lying=box.lying and bool(middle[2] < belt + box.size[2]))


def held_box(fingers: Fingers, sighting: Sighting, size: np.ndarray, belt: float) -> ObjectBox | None:
    """What they hold above a belt at the first frame, if they are closed and the camera beside them shows something.

    Args:
        belt: its height, m.
    """
    point = fingers.point[0]
    if fingers.opening[0] > size[1] + CLOSED or point[2] < belt + size[2]:
        return None
    box = ObjectBox(point, size, np.zeros(3), fingers.axes[0], lying=False)
    drawing = box.drawn(sighting.empty)
    if drawing is None:
        return None
    inside = drawing.cover > INSIDE
    if not inside.any() or (sighting.difference[drawing.place][inside] > OBJECT).mean() < SHOWN:
        return None
    return replace(box, colour=sighting.picture[drawing.place][inside].mean(0))


def whereabouts(box: ObjectBox, hands: Sequence[Fingers], step: np.ndarray, belt: float) -> list[ObjectBox]:
    """The box at T frames, at the first of which it is where it was seen.

    Args:
        step: (3,) m by which the belt carries it from frame to frame. belt: height of the belt, m.
    """
    width, found = box.size[1], [box]
    holding = (each for each in hands if each.opening[0] <= width + CLOSED and each.around(0, box))
    held = next((_Held(each, 0, each.seen_from(0, box), box.turned) for each in holding), None)
    for frame in range(1, len(hands[0].opening)):
        if held is not None and held.fingers.opening[frame] > width + OPEN:
            held, box = None, _let_go(box, belt)
        if held is not None:
            box = held.at(frame, box, belt)
        else:
            box = replace(box, middle=box.middle + step) if box.lying else box
            for fingers in hands:
                if fingers.close(frame, width) and fingers.around(frame, box):
                    offset = fingers.seen_from(frame, box) * (1, 0, 1)  # they centre what they close on
                    held = _Held(fingers, frame, offset, box.turned)
                    box = held.at(frame, box, belt)
                    break
        found.append(box)
    return found


def _let_go(box: ObjectBox, belt: float) -> ObjectBox:
    """On the belt as long as it was not lifted; else fallen to the table, where nothing carries it on."""
    height = (belt if box.lying else 0.0) + box.size[2] / 2
    return replace(box, middle=np.array([*box.middle[:2], height]), turned=np.eye(3))
