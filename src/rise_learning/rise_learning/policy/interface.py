"""What every policy is: inputs, a loss and samples; training, imagination, evaluation and deployment know no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rise_learning.data.normalizer import Normalizer
from rise_learning.policy.config import BasePolicyConfig


@dataclass
class PolicyInput:
    """What the policy is conditioned on.

    Attributes:
        images: (B, history, V, h, w, 3) uint8 RGB.
        state: (B, A) joint positions, rad and m.
        instructions: B task descriptions.
        bins: (B,) int64 advantage bin, 1..bins; 0 leaves it out. Prompt and head both read this field and no other.
    """

    images: Tensor
    state: Tensor
    instructions: list[str]
    bins: Tensor

    @classmethod
    def joined(cls, parts: list[PolicyInput]) -> PolicyInput:
        """One batch of several."""
        return cls(
            torch.cat([part.images for part in parts]),
            torch.cat([part.state for part in parts]),
            [text for part in parts for text in part.instructions],
            torch.cat([part.bins for part in parts]),
        )


class Policy(nn.Module, ABC):
    """pi(A, o, l) -> action chunk (Eq. 7 and 8), by flow matching; chunks go in and out in rad and m."""

    config: BasePolicyConfig
    normalizer: Normalizer

    @abstractmethod
    def loss(self, inputs: PolicyInput, chunks: Tensor) -> Tensor:
        """(B,) loss of chunks (B, K, A); random numbers come from torch's global generator (the trainer seeds it)."""

    @abstractmethod
    def sample(self, inputs: PolicyInput, noise: Tensor, *, steps: int | None = None, guidance: float = 1.0) -> Tensor:
        """(B, K, A) chunks from noise (B, config.basis_size); one row of it decides one sample, whatever the batch."""

    def save_assets(self, directory: Path) -> None:
        """Put beside the weights what they do not hold, e.g. a tokenizer."""
