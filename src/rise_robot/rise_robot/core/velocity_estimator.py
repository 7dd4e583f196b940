"""Joint velocities from positions, for drives that report none."""

from __future__ import annotations

from collections import deque

import numpy as np


class VelocityEstimator:
    """Slope of the least-squares line through the positions of the last few samples, at their true times.

    A line through n samples delays by half their span (10 ms for 5 samples at 200 Hz) and divides the noise of a plain
    difference by about n^1.5. A gap, or a stamp that does not advance, starts anew: no slope is drawn across it.

    Args:
        samples: in the line, at least 2.
        max_gap_s: between two samples.
    """

    def __init__(self, samples: int = 5, max_gap_s: float = 0.05) -> None:
        if samples < 2:
            raise ValueError(f"a slope needs at least 2 samples, got {samples}")
        self._stamps: deque[int] = deque(maxlen=samples)  # ns: a float of s since 1970 is too coarse
        self._positions: deque[np.ndarray] = deque(maxlen=samples)
        self._max_gap_ns = max_gap_s * 1e9

    def add(self, stamp_ns: int, positions: np.ndarray) -> np.ndarray:
        """(A,) velocities per s after a measurement (A,); zeros while there is only one."""
        if self._stamps and not 0 < stamp_ns - self._stamps[-1] <= self._max_gap_ns:
            self._stamps.clear()
            self._positions.clear()
        self._stamps.append(stamp_ns)
        self._positions.append(np.array(positions, float))
        if len(self._stamps) < 2:
            return np.zeros_like(self._positions[0])
        times = (np.array(self._stamps) - self._stamps[0]) * 1e-9  # (N,)
        times -= times.mean()
        slope: np.ndarray = times @ np.array(self._positions) / (times @ times)
        return slope
