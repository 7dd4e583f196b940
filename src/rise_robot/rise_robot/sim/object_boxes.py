"""Objects of known size on a belt: found in pictures, and drawn as the boxes that they are into later ones.

The picture of a brick that is carried over to a camera much nearer (`Sighting.paint`) is a smear along the line of
sight in which it was seen, and whether fingers close around the brick is what the smear hides. The camera that sees a
brick largest tells where it lies to a few millimetres, at 64 pixels for the width of the cell, so that it can be drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from rise_robot.sim.last_seen import Shot, Sighting

FEWEST_PIXELS = 4
"""Of an object that is believed to be one."""
APART = 0.75
"""Of the longest side of a box: what is seen nearer to another object than this is the same one, in another camera."""
CORRECTIONS = 2
"""How often an object is drawn where it is believed to lie, and moved by what the middle of the drawing is off."""
SHADE = 0.75
"""Brightness of the sides of a box to that of its top."""
BRIGHT = 0.8
"""Of the largest difference of an object from the empty cell: pixels from which on are of the object alone."""
FINER = 4
"""Pixels a side that one pixel is drawn as; recorded pictures are scaled down, too, and their edges are soft."""
SHIFT = 4
"""Fractional bits of the corners of polygons (OpenCV)."""
CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float) / 2
TOP = [1, 3, 7, 5]
"""Those of CORNERS around the top."""
NEAREST = 0.01
"""m before a camera, from which on a box is drawn."""


@dataclass(frozen=True)
class ObjectBox:
    """A box: its middle (3,) m in the world, (3,) size, m, and (3,) RGB colour.

    Attributes:
        turned: (3, 3), its axes as columns.
        lying: on a belt; it is hidden by what hides the belt from a camera. Others are drawn whole.
    """

    middle: np.ndarray
    size: np.ndarray
    colour: np.ndarray
    turned: np.ndarray = field(default_factory=lambda: np.eye(3))
    lying: bool = True

    def drawn(self, target: Shot) -> Drawing | None:
        """What of it `target` shows; None: nothing."""
        corners = self.middle + (CORNERS * self.size) @ self.turned.T - target.position
        if (corners @ -target.rotation[:, 2]).min() < NEAREST:
            return None
        seen = corners @ target.projection.T
        pixels = seen[:, :2] / seen[:, 2:]
        low = np.maximum(np.floor(pixels.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(pixels.max(0)).astype(int) + 1, target.belt.shape[::-1])
        if (low >= high).any():
            return None
        width, height = high - low
        canvas = np.zeros((height * FINER, width * FINER, 2), np.float32)
        points = np.round(((pixels - low + 0.5) * FINER - 0.5) * 2**SHIFT).astype(np.int32)
        for part, colour in ((points, (1.0, SHADE)), (points[TOP], (1.0, 1.0))):
            cv2.fillConvexPoly(canvas, cv2.convexHull(part), colour, cv2.LINE_8, SHIFT)
        small = cv2.resize(canvas, (int(width), int(height)), interpolation=cv2.INTER_AREA)
        place = slice(low[1], high[1]), slice(low[0], high[0])
        if self.lying:
            small *= target.belt[place][..., None]
        return Drawing(place, small[..., 0], small[..., 1])


@dataclass(frozen=True)
class Drawing:
    """A box in a picture: where, how much of every pixel it covers, and that times its brightness."""

    place: tuple[slice, slice]
    cover: np.ndarray
    light: np.ndarray

    @property
    def middle(self) -> np.ndarray | None:
        """(2,) column and row of what is covered; None: nothing."""
        return _middle(self.cover, np.array([self.place[1].start, self.place[0].start]))

    def put_into(self, image: np.ndarray, colour: np.ndarray) -> None:
        """Over (h, w, 3) uint8."""
        under = image[self.place] * (1.0 - self.cover[..., None])
        image[self.place] = np.clip(under + self.light[..., None] * colour, 0, 255)


@dataclass(frozen=True)
class _Blob:
    """What one camera sees of an object: pixels, (2,) column and row of its middle, (3,) RGB colour."""

    sighting: Sighting
    pixels: int
    middle: np.ndarray
    colour: np.ndarray

    def shows(self, drawing: Drawing) -> bool:
        """Whether its middle is where that has been drawn."""
        rows, columns = drawing.place
        column, row = np.round(self.middle).astype(int)
        if not (rows.start <= row < rows.stop and columns.start <= column < columns.stop):
            return False
        return bool(drawing.cover[row - rows.start, column - columns.start] > 0)

    def box(self, size: np.ndarray, height: float) -> ObjectBox:
        """The box on a plane at `height`, m, that looks so."""
        aim, middle = self.middle, np.array([0.0, 0.0, height + size[2] / 2])
        for correction in range(CORRECTIONS + 1):
            ray = self.sighting.empty.rays @ (*aim, 1.0)
            position = self.sighting.empty.position
            box = ObjectBox(position + ray * (middle[2] - position[2]) / ray[2], size, self.colour)
            drawing = box.drawn(self.sighting.empty) if correction < CORRECTIONS else None
            drawn = None if drawing is None else drawing.middle
            if drawn is None:
                break
            aim = aim + self.middle - drawn
        return box


def found_boxes(
    sightings: Sequence[Sighting], size: np.ndarray, height: float, held: Sequence[ObjectBox] = ()
) -> list[ObjectBox]:
    """The objects that cameras see on a belt at `height`, m, each where the camera that sees it largest has it.

    Args:
        sightings: of the cameras, all taken at the same time.
        size: (3,) m, of every object: along the world's axes.
        held: objects that are not on the belt, but are seen before it.
    """
    blobs = [
        blob
        for sighting in sightings
        for blob in _blobs(sighting)
        if not any(blob.shows(drawing) for box in held if (drawing := box.drawn(sighting.empty)) is not None)
    ]
    found: list[ObjectBox] = []
    for blob in sorted(blobs, key=lambda blob: -blob.pixels):
        box = blob.box(size, height)
        if all(np.linalg.norm(box.middle - other.middle) > APART * size.max() for other in found):
            found.append(box)
    return found


def draw_boxes(image: np.ndarray, target: Shot, boxes: Sequence[ObjectBox]) -> None:
    """Put boxes into (h, w, 3) uint8 of `target`, the farthest first."""

    def distance(box: ObjectBox) -> float:
        return float(np.linalg.norm(box.middle - target.position))

    for box in sorted(boxes, key=distance, reverse=True):
        drawing = box.drawn(target)
        if drawing is not None:
            drawing.put_into(image, box.colour)


def _blobs(sighting: Sighting) -> Iterator[_Blob]:
    """Those that are seen whole: one that the picture's edge cuts has its middle elsewhere."""
    objects, differs = sighting.objects.astype(np.uint8), sighting.difference
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(objects)
    high, wide = objects.shape
    for label in range(1, count):
        left, top, width, height, pixels = statistics[label]
        if pixels < FEWEST_PIXELS or not (left and top and left + width < wide and top + height < high):
            continue
        own = labels == label
        around = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & sighting.empty.belt
        largest = differs[own].max()
        middle = _middle(np.where(around, np.minimum(differs / largest, 1.0), 0.0), np.zeros(2))
        assert middle is not None
        yield _Blob(sighting, int(pixels), middle, sighting.picture[own & (differs >= BRIGHT * largest)].mean(0))


def _middle(weights: np.ndarray, origin: np.ndarray) -> np.ndarray | None:
    """(2,) column and row of (h, w) weights whose first pixel is `origin`."""
    total = weights.sum()
    if total <= 0:
        return None
    columns, rows = np.arange(weights.shape[1]), np.arange(weights.shape[0])
    return origin + np.array([weights.sum(0) @ columns, weights.sum(1) @ rows]) / total
