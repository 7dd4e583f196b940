"""The last recorded pictures before states that may be imagined: where maps take objects from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class LastRecorded(NamedTuple):
    """Of B states.

    Imagination blurs objects link by link; what nobody has touched since it was recorded is better taken from there.

    Attributes:
        pictures: (B, V, h, w, 3) uint8.
        state: (B, A) joint positions at which they were taken, rad and m.
        steps_ago: (B,) int64 control steps since then.
    """

    pictures: Tensor
    state: Tensor
    steps_ago: Tensor

    @classmethod
    def now(cls, pictures: Tensor, state: Tensor) -> LastRecorded:
        """Of states that were recorded themselves."""
        return cls(pictures, state, torch.zeros(len(state), dtype=torch.int64))

    def later(self, steps: int) -> LastRecorded:
        """The same after so many more control steps of imagination."""
        return self._replace(steps_ago=self.steps_ago + steps)

    def beside(self, other: LastRecorded) -> LastRecorded:
        """Of these states, then of those of `other`."""
        return LastRecorded(*(torch.cat(pair) for pair in zip(self, other, strict=True)))

    def select(self, rows: np.ndarray) -> LastRecorded:
        """Of the states `rows` (M,)."""
        return LastRecorded(*(part[rows] for part in self))

    def repeat(self, times: int) -> LastRecorded:
        """Of every state `times` times, copies side by side."""
        return LastRecorded(*(part.repeat_interleave(times, 0) for part in self))
