"""Objects of the last picture, as a camera will see them from where it is taken next.

A camera on a wrist looks at the same belt from ever new places. Where the cell is known, how a brick on it will be seen
beside the fingers that close around it need not be learned: it is the last picture of it, reprojected.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from rise_robot.core.images import resize_frame

OBJECT = 40
"""Difference of intensity (of 255) between a picture and the empty cell from which on it shows an object."""
BACKWARD = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
HEIGHT = 0.03
"""m above the belt at which an object is taken to be: most of what is seen of a brick is its top."""


@dataclass(frozen=True)
class Shot:
    """What a pinhole camera shows of a cell without objects.

    Attributes:
        image: (h, w, 3) uint8.
        belt: (h, w) bool, where it shows a belt, which carries objects along.
        position: (3,) m, of the camera in the world. rotation: (3, 3), its axes right, up and backward as columns.
        intrinsics: (3, 3) pinhole matrix in pixels.
    """

    image: np.ndarray
    belt: np.ndarray
    position: np.ndarray
    rotation: np.ndarray
    intrinsics: np.ndarray

    def resized(self, size: tuple[int, int]) -> Shot:
        """The same as a picture of (h, w) pixels shows it, scaled as recorded frames are."""
        height, width = self.belt.shape
        belt = resize_frame(self.belt.astype(np.float32), size) > 0.5
        scale = np.array([[size[1] / width], [size[0] / height], [1.0]])
        image = resize_frame(self.image, size)
        return Shot(image, belt, self.position, self.rotation, scale * self.intrinsics)

    @property
    def _pinhole(self) -> tuple[np.ndarray, np.ndarray]:
        """Focal lengths and principal point, pixels, the middle of the first pixel at 0."""
        return self.intrinsics[[0, 1], [0, 1]], self.intrinsics[:2, 2] - 0.5

    @cached_property
    def rays(self) -> np.ndarray:
        """(3, 3): pixel (column, row, 1) to the direction in which it looks in the world."""
        (fx, fy), (cx, cy) = self._pinhole
        return self.rotation @ np.array([[1 / fx, 0, -cx / fx], [0, -1 / fy, cy / fy], [0, 0, -1]])

    @cached_property
    def projection(self) -> np.ndarray:
        """(3, 3): what lies in some direction of the world to (column, row, 1) times its depth."""
        (fx, fy), (cx, cy) = self._pinhole
        return np.array([[fx, 0, -cx], [0, -fy, -cy], [0, 0, -1]]) @ self.rotation.T

    def seen_from(self, other: Shot, height: float, travelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where `other` saw what this camera sees on a level plane, before the plane travelled.

        Args:
            height: m, of the plane, below both cameras. travelled: (3,) m.

        Returns:
            (3, 3) homography from pixels (column, row, 1) here to pixels there; (h, w) bool, where that is before the
            other camera.
        """
        down = self.rays[2]  # of (column, row, 1): how far a ray comes down
        plane = np.outer(self.position - travelled - other.position, down) + (height - self.position[2]) * self.rays
        homography = other.projection @ plane
        rows, columns = (np.arange(count)[:, None] for count in self.belt.shape)
        depth, falling = (each[0] * columns.T + each[1] * rows + each[2] for each in (homography[2], down))
        return homography, depth * falling > 0


@dataclass(frozen=True)
class Sighting:
    """A picture (h, w, 3) uint8 that a camera took, and what it would have shown of the empty cell."""

    empty: Shot
    picture: np.ndarray

    @cached_property
    def gain(self) -> float:
        """How much brighter the picture is than what is drawn."""
        drawn = self.empty.image.sum(-1, dtype=float)
        return float(np.median(self.picture.sum(-1) / np.maximum(drawn, 1.0)))

    @cached_property
    def difference(self) -> np.ndarray:
        """(h, w) of intensities between the picture and the empty cell in its light, the largest of the three."""
        difference: np.ndarray = np.abs(self.picture - self.gain * self.empty.image).max(-1)
        return difference

    @cached_property
    def objects(self) -> np.ndarray:
        """(h, w) float32, 1 where something lies on a belt.

        Elsewhere thin edges of the cell, blended in a picture that was scaled down, would pass for objects.
        """
        return ((self.difference > OBJECT) & self.empty.belt).astype(np.float32)

    def paint(self, image: np.ndarray, target: Shot, height: float, travelled: np.ndarray) -> None:
        """Put the objects into `image` (h, w, 3) uint8 of `target`, as far as they still lie on a belt there.

        Args:
            height: m, of the belt.
            travelled: (3,) m by which it has carried them since.
        """
        if not self.objects.any() or not target.belt.any():
            return
        back, ahead = target.seen_from(self.empty, height + HEIGHT, travelled)
        size = target.belt.shape[::-1]
        shown = cv2.warpPerspective(self.objects, back, size, flags=BACKWARD) > 0.5
        colours = cv2.warpPerspective(self.picture, back, size, flags=BACKWARD, borderMode=cv2.BORDER_REPLICATE)
        place = shown & ahead & target.belt
        image[place] = colours[place]
