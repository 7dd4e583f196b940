"""Standardisation of joint vectors; part of every model that reads them, so it travels with the checkpoint."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

MIN_STD = 0.02
"""rad or m: a joint that hardly moves in the data is not blown up to unit variance."""


class Normalizer(nn.Module):
    """`normalize(x) = (x - mean) / std`, per joint, buffers only."""

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    @classmethod
    def fit(cls, vectors: np.ndarray) -> Normalizer:
        """From (N, A) joint vectors."""
        normalizer = cls(vectors.shape[-1])
        flat = vectors.reshape(-1, vectors.shape[-1]).astype(np.float64)
        normalizer.mean.copy_(torch.from_numpy(flat.mean(0)))
        normalizer.std.copy_(torch.from_numpy(np.maximum(flat.std(0), MIN_STD)))
        return normalizer

    @classmethod
    def fit_range(cls, vectors: np.ndarray, tail: float = 0.01) -> Normalizer:
        """From (N, A) joint vectors: their quantiles `tail` and 1 - `tail` become -1 and 1, as pi0.5 has it."""
        normalizer = cls(vectors.shape[-1])
        low, high = np.quantile(vectors.reshape(-1, vectors.shape[-1]).astype(np.float64), [tail, 1 - tail], axis=0)
        normalizer.mean.copy_(torch.from_numpy((low + high) / 2))
        normalizer.std.copy_(torch.from_numpy(np.maximum((high - low) / 2, MIN_STD)))
        return normalizer

    def normalize(self, vectors: Tensor) -> Tensor:
        return (vectors - self.mean) / self.std

    def denormalize(self, vectors: Tensor) -> Tensor:
        return vectors * self.std + self.mean
