"""Many boxes of one colour as one mesh: an image costs by how many things are in it, not by their triangles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

UNSEEN = 'group="3"'
"""Attribute of geoms that physics knows and cameras do not show."""
_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
"""Corners of every side, counter-clockwise from outside."""
_NORMALS = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))


@dataclass(frozen=True)
class Box:
    """An upright box of the world: `centre` and `half` sizes (3,), m."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]

    @property
    def corners(self) -> np.ndarray:
        """(8, 3) m."""
        return np.array(self.centre) + _CORNERS * np.array(self.half)

    def solid(self, attributes: str) -> str:
        """MJCF of the box for physics alone."""
        return f'<geom type="box" pos="{_text(self.centre)}" size="{_text(self.half)}" {UNSEEN} {attributes}/>'


def painted(name: str, rgba: str, boxes: Iterable[Box]) -> tuple[str, str]:
    """MJCF of an asset, and of the geom that shows all boxes in one colour; sides keep their edges sharp."""
    vertices, normals, faces = [], [], []
    for box in boxes:
        for side, normal in zip(_FACES, _NORMALS, strict=True):
            first = len(vertices)
            vertices += box.corners[list(side)].tolist()
            normals += [normal] * 4
            faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    asset = (
        f'<mesh name="{name}" vertex="{_text(np.ravel(vertices))}" normal="{_text(np.ravel(normals))}" '
        f'face="{_text(np.ravel(faces))}"/>'
    )
    return asset, f'<geom name="{name}" type="mesh" mesh="{name}" rgba="{rgba}"/>'


def _text(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:.10g}" for number in numbers)
