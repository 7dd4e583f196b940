"""The frames of many episodes as one array that is nowhere copied together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class FrameStore:
    """Reads like an array (N, V, h, w, 3) uint8; what is indexed is gathered from the parts and is an array of its own.

    Parts may be maps of files, which the processes of a training share; what was not read costs no memory.

    Args:
        parts: (F, V, h, w, 3) uint8 of each episode; at least one.
    """

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts = list(parts)
        counts = [len(part) for part in parts]
        self._first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self.shape: tuple[int, ...] = (sum(counts), *parts[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """As numpy's: a number, a slice, an array of numbers or a mask of frames."""
        g = np.arange(len(self))[index]
        flat = np.ravel(g)
        part_of = np.searchsorted(self._first, flat, side="right") - 1
        found = np.empty((len(flat), *self.shape[1:]), np.uint8)
        for number in np.unique(part_of):
            rows = np.flatnonzero(part_of == number)
            found[rows] = self._parts[number][flat[rows] - self._first[number]]
        return found.reshape(*np.shape(g), *self.shape[1:])
