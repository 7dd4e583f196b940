"""What one camera delivered: rate, drops, latency."""

from __future__ import annotations

from collections import deque

import numpy as np


class StreamCounters:
    """Args:
    rate_hz: that the contract expects.

    Attributes:
        frames: delivered.
        dropped: that must have been between two stamps and were not delivered.
        refused: with a stamp that is not newer than the last one's.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = 1e9 / rate_hz
        self._last_ns: int | None = None
        self._latency_ms: deque[float] = deque(maxlen=256)
        self._stamps: deque[int] = deque(maxlen=64)
        self.frames = self.dropped = self.refused = 0

    def admit(self, stamp_ns: int) -> bool:
        """Count a frame; False where it repeats an instant and must not be published."""
        if self._last_ns is not None and stamp_ns <= self._last_ns:
            self.refused += 1
            return False
        if self._last_ns is not None:
            self.dropped += max(round((stamp_ns - self._last_ns) / self._period_ns) - 1, 0)
        self._last_ns = stamp_ns
        self._stamps.append(stamp_ns)
        self.frames += 1
        return True

    def published(self, latency_ns: int) -> None:
        """A frame went out so long after it was taken."""
        self._latency_ms.append(latency_ns * 1e-6)

    def values(self) -> dict[str, float | int]:
        """For diagnostics."""
        span = self._stamps[-1] - self._stamps[0] if len(self._stamps) > 1 else 0
        rate = (len(self._stamps) - 1) * 1e9 / span if span else 0.0
        values: dict[str, float | int] = {"frames": self.frames, "dropped": self.dropped, "refused": self.refused}
        values["rate_hz"] = rate
        if self._latency_ms:
            p50, p99 = np.percentile(self._latency_ms, [50, 99])
            values |= {"latency_p50_ms": float(p50), "latency_p99_ms": float(p99)}
        return values
