"""Discretisation of advantages into uniform bins (Sec. III-C, XI-D)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_learning.errors import ConfigError


@dataclass(frozen=True)
class AdvantageBins:
    """`count` uniform bins over [low, high], numbered 1..count; the last is the optimal advantage of the paper.

    Advantages outside the range fall into the outer bins; `clipped` counts them.

    Attributes:
        experts_apart: the last bin is that of experts alone; advantages have the others (beyond the paper).
    """

    low: float
    high: float
    count: int = 10
    experts_apart: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"advantage range [{self.low}, {self.high}] is empty; low must be below high")
        if self.top < 2:
            raise ConfigError(f"at least 2 bins of advantages are needed, got {self.top}")

    @property
    def top(self) -> int:
        """The best bin of advantages, which deployment asks for."""
        return self.count - self.experts_apart

    @property
    def experts(self) -> int:
        """The bin of demonstrations and corrections."""
        return self.count

    @classmethod
    def fit(
        cls, advantages: np.ndarray, count: int = 10, tail: float = 0.02, *, experts_apart: bool = False
    ) -> AdvantageBins:
        """Range of observed advantages without the outer `tail` on each side."""
        low, high = np.quantile(advantages, [tail, 1 - tail])
        return cls(float(low), float(max(high, low + 1e-6)), count, experts_apart)

    def __call__(self, advantages: np.ndarray) -> np.ndarray:
        """(N,) advantages -> (N,) int64 bins in 1..top.

        Raises:
            ValueError: an advantage is not finite; such a sample must not be trained on.
        """
        advantages = np.asarray(advantages, dtype=np.float64)
        if not np.isfinite(advantages).all():
            raise ValueError(f"{int((~np.isfinite(advantages)).sum())} of {advantages.size} advantages are not finite")
        share = (advantages - self.low) / (self.high - self.low)
        return np.clip(np.floor(share * self.top).astype(np.int64) + 1, 1, self.top)

    def clipped(self, advantages: np.ndarray) -> int:
        """How many advantages lie outside [low, high]."""
        return int(((advantages < self.low) | (advantages > self.high)).sum())
