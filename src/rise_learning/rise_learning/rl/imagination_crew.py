"""Processes that imagine one batch together, each with a world model of its own and one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.last_recorded import LastRecorded
from rise_learning.rl.imagination import Imagined, Starts
from rise_learning.worker_pool import worker_pool

Imagine = Callable[[Starts, Tensor, Sequence[int]], Imagined]
"""What is imagined of chunks (B, K, A) from B states, each by the noise of its own seed; fit for pickling."""


class ImaginationCrew:
    """Shares batches among `workers` processes; they live as long as it does."""

    def __init__(self, imagine: Imagine, workers: int) -> None:
        self._imagine, self._workers = imagine, workers
        self._pool = worker_pool(workers)

    def imagine(self, starts: Starts, chunks: Tensor, seeds: Sequence[int], portion: int) -> Imagined:
        """What one process would say.

        Args:
            portion: chunks that a process computes together; every part is made of whole ones.
        """
        size = portion * -(-len(chunks) // (portion * self._workers))
        parts = []
        for first in range(0, len(chunks), size):
            rows = np.arange(first, min(first + size, len(chunks)))
            here = starts.select(rows)
            seen = tuple(part.numpy() for part in here.last_recorded)
            arrays = here.context.numpy(), here.state.numpy(), seen, chunks[rows].numpy()
            parts.append(_Part(self._imagine, *arrays, here.instructions, seeds[first : first + size]))
        said = list(self._pool.map(_Part.imagined, parts))
        trust = [one.trust for one in said if one.trust is not None]
        return Imagined(
            torch.from_numpy(np.concatenate([one.frames for one in said])),
            np.concatenate([one.rise for one in said]),
            np.concatenate(trust) if trust else None,
            np.concatenate([one.value_now for one in said]),
        )


@dataclass(frozen=True)
class _Part:
    """Of a batch, as arrays: tensors would travel through shared memory, of which containers have little."""

    imagine: Imagine
    context: np.ndarray
    state: np.ndarray
    seen: tuple[np.ndarray, ...]
    chunks: np.ndarray
    instructions: list[str]
    seeds: Sequence[int]

    def imagined(self) -> _Said:
        """In a worker process."""
        seen = LastRecorded(*map(torch.from_numpy, self.seen))
        context, state = torch.from_numpy(self.context), torch.from_numpy(self.state)
        starts = Starts(context, state, self.instructions, seen=seen)
        found = self.imagine(starts, torch.from_numpy(self.chunks), self.seeds)
        assert found.value_now is not None
        return _Said(found.frames.numpy(), found.rise, found.trust, found.value_now)


@dataclass(frozen=True)
class _Said:
    """`Imagined` of a part, as arrays."""

    frames: np.ndarray
    rise: np.ndarray
    trust: np.ndarray | None
    value_now: np.ndarray
