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

    @cached_property
    def rays(self) -> np.ndarray:
        """(N, 3) directions in the world of the N pixels that show a belt."""
        row, column = np.nonzero(self.belt)
        right = (column + 0.5 - self.intrinsics[0, 2]) / self.intrinsics[0, 0]
        down = (row + 0.5 - self.intrinsics[1, 2]) / self.intrinsics[1, 1]
        return np.stack([right, -down, -np.ones_like(right)], axis=-1) @ self.rotation.T

    def points(self, height: float) -> np.ndarray:
        """(N, 3) m, where those pixels look at a level plane of the world below the camera."""
        return self.position + self.rays * ((height - self.position[2]) / np.minimum(self.rays[:, 2:], -1e-6))

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) column and row, the middle of the first pixel at 0, of points (N, 3); far outside if behind it."""
        local = (points - self.position) @ self.rotation
        depth = np.where(local[:, 2] < -1e-3, -local[:, 2], 1e-9)
        column = self.intrinsics[0, 0] * local[:, 0] / depth + self.intrinsics[0, 2] - 0.5
        row = -self.intrinsics[1, 1] * local[:, 1] / depth + self.intrinsics[1, 2] - 0.5
        return np.clip(np.stack([column, row], axis=-1), -1e4, 1e4)


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
    def objects(self) -> np.ndarray:
        """(h, w) float32, 1 where something lies on a belt.

        Elsewhere thin edges of the cell, blended in a picture that was scaled down, would pass for objects.
        """
        differs = np.abs(self.picture - self.gain * self.empty.image).max(-1) > OBJECT
        return (differs & self.empty.belt).astype(np.float32)

    def paint(self, image: np.ndarray, target: Shot, height: float, travelled: np.ndarray) -> None:
        """Put the objects into `image` (h, w, 3) uint8 of `target`, as far as they still lie on a belt there.

        Args:
            height: m, of the belt.
            travelled: (3,) m by which it has carried them since.
        """
        if not self.objects.any() or not target.belt.any():
            return
        pixels = self.empty.pixels(target.points(height + HEIGHT) - travelled).astype(np.float32)[:, None]
        shown = cv2.remap(self.objects, pixels, None, cv2.INTER_LINEAR)[:, 0] > 0.5
        colours = cv2.remap(self.picture, pixels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
        place = tuple(axis[shown] for axis in np.nonzero(target.belt))
        image[place] = colours[shown]
