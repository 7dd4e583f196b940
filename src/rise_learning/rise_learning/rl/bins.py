"""Discretisation of advantages into uniform bins (Sec. III-C, XI-D)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_learning.errors import ConfigError


@dataclass(frozen=True)
class AdvantageBins:
    """`count` uniform bins over [low, high], numbered 1..count; the last is the optimal advantage of the paper.

    Advantages outside the range fall into the outer bins; `clipped` counts them.
    """

    low: float
    high: float
    count: int = 10

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"advantage range [{self.low}, {self.high}] is empty; low must be below high")
        if self.count < 2:
            raise ConfigError(f"at least 2 advantage bins are needed, got {self.count}")

    @property
    def top(self) -> int:
        """The bin of demonstrations, corrections and deployment."""
        return self.count

    @classmethod
    def fit(cls, advantages: np.ndarray, count: int = 10, tail: float = 0.02) -> AdvantageBins:
        """Range of observed advantages without the outer `tail` on each side."""
        low, high = np.quantile(advantages, [tail, 1 - tail])
        return cls(float(low), float(max(high, low + 1e-6)), count)

    def __call__(self, advantages: np.ndarray) -> np.ndarray:
        """(N,) advantages -> (N,) int64 bins in 1..count.

        Raises:
            ValueError: an advantage is not finite; such a sample must not be trained on.
        """
        advantages = np.asarray(advantages, dtype=np.float64)
        if not np.isfinite(advantages).all():
            raise ValueError(f"{int((~np.isfinite(advantages)).sum())} of {advantages.size} advantages are not finite")
        share = (advantages - self.low) / (self.high - self.low)
        return np.clip(np.floor(share * self.count).astype(np.int64) + 1, 1, self.count)

    def clipped(self, advantages: np.ndarray) -> int:
        """How many advantages lie outside [low, high]."""
        return int(((advantages < self.low) | (advantages > self.high)).sum())
