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
        path: (B, T, A) joint positions at the frames since then, the last one is now; what is beyond `steps_ago` counts
            for nothing.
    """

    pictures: Tensor
    state: Tensor
    steps_ago: Tensor
    path: Tensor

    @classmethod
    def now(cls, pictures: Tensor, state: Tensor) -> LastRecorded:
        """Of states that were recorded themselves."""
        return cls(pictures, state, torch.zeros(len(state), dtype=torch.int64), state[:, None][:, :0])

    def later(self, steps: int, states: Tensor) -> LastRecorded:
        """The same after so many more control steps of imagination, with joint positions (B, n, A) at n frames."""
        count, per_frame = states.shape[1], steps // states.shape[1]
        before = self.steps_ago // per_frame
        path = _longer(self.path, int(before.max()) + count)
        rows = torch.arange(len(path))[:, None]
        path[rows, before[:, None] + torch.arange(count)] = states
        return self._replace(steps_ago=self.steps_ago + steps, path=path)

    def beside(self, other: LastRecorded) -> LastRecorded:
        """Of these states, then of those of `other`."""
        longest = max(self.path.shape[1], other.path.shape[1])
        pair = (each._replace(path=_longer(each.path, longest)) for each in (self, other))
        return LastRecorded(*(torch.cat(parts) for parts in zip(*pair, strict=True)))

    def select(self, rows: np.ndarray) -> LastRecorded:
        """Of the states `rows` (M,)."""
        return LastRecorded(*(part[rows] for part in self))

    def repeat(self, times: int) -> LastRecorded:
        """Of every state `times` times, copies side by side."""
        return LastRecorded(*(part.repeat_interleave(times, 0) for part in self))


def _longer(path: Tensor, frames: int) -> Tensor:
    """A copy of (B, T, A) with room for so many frames."""
    return torch.cat([path, path.new_zeros(len(path), max(0, frames - path.shape[1]), path.shape[2])], 1)
