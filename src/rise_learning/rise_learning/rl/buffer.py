"""The newest imagined samples, with their bins, as batches for the policy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rise_learning.policy.flow_policy import PolicyInput
from rise_learning.rl.imagination import OnlineSamples

TENSORS = ("images", "state", "chunks", "bins", "instruction")


class OnlineBuffer:
    """First in, first out; saved with every checkpoint, so that a resumed run trains on what it had imagined."""

    def __init__(self, capacity: int, instructions: list[str]) -> None:
        """
        Args:
            instructions: every instruction that samples can have.
        """
        self.capacity, self.instructions = capacity, sorted(set(instructions))
        self._data: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._data["bins"]) if self._data else 0

    def add(self, samples: OnlineSamples, bins: np.ndarray) -> None:
        """Append samples with their bins (N,), dropping the oldest beyond the capacity."""
        numbers = torch.tensor([self.instructions.index(text) for text in samples.instructions])
        new = {
            "images": samples.images,
            "state": samples.state,
            "chunks": samples.chunks,
            "bins": torch.from_numpy(bins),
            "instruction": numbers,
        }
        if self._data:
            new = {name: torch.cat([self._data[name], tensor]) for name, tensor in new.items()}
        self._data = {name: tensor[-self.capacity :] for name, tensor in new.items()}

    def batch(self, rng: np.random.Generator, size: int) -> tuple[PolicyInput, Tensor]:
        """Random samples: observations with the bins their chunks earned, and the chunks."""
        chosen = torch.from_numpy(rng.integers(len(self), size=size))
        texts = [self.instructions[int(number)] for number in self._data["instruction"][chosen]]
        inputs = PolicyInput(
            self._data["images"][chosen], self._data["state"][chosen], texts, self._data["bins"][chosen]
        )
        return inputs, self._data["chunks"][chosen]

    def state(self) -> dict[str, Tensor]:
        return dict(self._data)

    def restore(self, state: dict[str, Tensor]) -> None:
        self._data = {name: state[name] for name in TENSORS if name in state}
