"""Principal components of action chunks: 50 x 14 smooth numbers described by a few dozen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class ActionBasis(nn.Module):
    """Orthonormal basis of normalised chunks relative to the state they start from.

    `encode` gives whitened coefficients (unit variance on the data it was fitted to), `decode` inverts it up to the
    components left out. `weight` holds the variance share of each coefficient, which turns a squared error of
    coefficients into a squared error of joint positions.
    """

    mean: Tensor
    components: Tensor
    scale: Tensor
    weight: Tensor

    def __init__(self, chunk_size: int, action_dim: int, size: int) -> None:
        super().__init__()
        self.shape = (chunk_size, action_dim)
        self.register_buffer("mean", torch.zeros(chunk_size * action_dim))
        self.register_buffer("components", torch.zeros(size, chunk_size * action_dim))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("weight", torch.ones(size))

    def fit(self, chunks: np.ndarray, states: np.ndarray) -> None:
        """From (N, K, A) normalised chunks and (N, A) normalised states, N at least the size of the basis."""
        flat = (chunks - states[:, None]).reshape(len(chunks), -1).astype(np.float64)
        mean = flat.mean(0)
        size = len(self.scale)
        values, vectors = np.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
        values, vectors = np.maximum(values[::-1][:size], 1e-8), vectors[:, ::-1][:, :size]
        self.mean.copy_(torch.from_numpy(mean))
        self.components.copy_(torch.from_numpy(vectors.T.copy()))
        self.scale.copy_(torch.from_numpy(np.sqrt(values)))
        self.weight.copy_(torch.from_numpy(values / values.mean()))

    def encode(self, chunks: Tensor, states: Tensor) -> Tensor:
        """(B, K, A) normalised chunks, (B, A) normalised states -> (B, size) coefficients."""
        flat = (chunks - states[:, None]).flatten(1) - self.mean
        return flat @ self.components.T / self.scale

    def decode(self, coefficients: Tensor, states: Tensor) -> Tensor:
        """(B, size) coefficients, (B, A) normalised states -> (B, K, A) normalised chunks."""
        flat = (coefficients * self.scale) @ self.components + self.mean
        return flat.unflatten(1, self.shape) + states[:, None]
