"""The newest imagined samples, with their bins, as batches for the policy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rise_learning.policy.flow_policy import PolicyInput
from rise_learning.rl.imagination import OnlineSamples

TENSORS = ("images", "state", "chunks", "bins", "instruction")


class OnlineBuffer:
    """First in, first out; saved with every checkpoint, so that a resumed run trains on what it had imagined.

    A ring of rows that are never moved: images of a full buffer are gigabytes.
    """

    def __init__(self, capacity: int, instructions: list[str]) -> None:
        """
        Args:
            instructions: every instruction that samples can have.
        """
        self.capacity, self.instructions = capacity, sorted(set(instructions))
        self._rows: dict[str, Tensor] = {}
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def add(self, samples: OnlineSamples, bins: np.ndarray) -> None:
        """Append samples with their bins (N,), in place of the oldest beyond the capacity."""
        numbers = torch.tensor([self.instructions.index(text) for text in samples.instructions], dtype=torch.int64)
        new = {
            "images": samples.images,
            "state": samples.state,
            "chunks": samples.chunks,
            "bins": torch.from_numpy(bins),
            "instruction": numbers,
        }
        if not self._rows:
            self._allocate(new)
        places = torch.arange(self._added, self._added + len(bins))[-self.capacity :] % self.capacity
        for name, tensor in new.items():
            self._rows[name][places] = tensor[-self.capacity :]
        self._added += len(bins)

    def _allocate(self, like: dict[str, Tensor]) -> None:
        """Room for `capacity` rows; pages that are not written to cost nothing."""
        self._rows = {name: tensor.new_empty(self.capacity, *tensor.shape[1:]) for name, tensor in like.items()}

    def batch(self, rng: np.random.Generator, size: int) -> tuple[PolicyInput, Tensor]:
        """Random samples: observations with the bins their chunks earned, and the chunks."""
        chosen = torch.from_numpy(rng.integers(len(self), size=size))
        texts = [self.instructions[int(number)] for number in self._rows["instruction"][chosen]]
        inputs = PolicyInput(
            self._rows["images"][chosen], self._rows["state"][chosen], texts, self._rows["bins"][chosen]
        )
        return inputs, self._rows["chunks"][chosen]

    def state(self) -> dict[str, Tensor]:
        """The rows that are filled, and how many were ever added."""
        filled = {name: rows[: len(self)] for name, rows in self._rows.items()}
        return {**filled, "added": torch.tensor(self._added)} if filled else {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state`; other entries are ignored. Checkpoints of before the ring hold the oldest row first."""
        if "bins" not in state:
            return
        filled = {name: state[name] for name in TENSORS}
        self._allocate(filled)
        for name, rows in filled.items():
            self._rows[name][: len(rows)] = rows
        self._added = int(state.get("added", len(filled["bins"])))
