"""A slow way to where the arms rest without power."""

from __future__ import annotations

import numpy as np

PERIOD_NS = 33_333_333
"""Between two targets."""
LAG = 0.3
"""rad that the joints may stay behind; more means that something blocks them."""
ARRIVED = 0.03
"""rad from the goal at which the motors may be switched off."""
SETTLE_S = 3.0
"""Time for the last of the way."""


class Parking:
    """A straight line in joint space at a constant pace.

    Attributes:
        arrived: the measured joints are at the goal.

    Args:
        start, goal: (A,) rad; grippers m.
        velocity: rad/s of the joint that has the longest way.
        now_ns: when it begins, on a monotonic clock.
    """

    def __init__(self, start: np.ndarray, goal: np.ndarray, velocity: float, now_ns: int) -> None:
        self._start, self._goal, self._begin_ns, self._next_ns = start, goal, now_ns, now_ns
        self._duration_s = max(float(np.abs(goal - start).max()) / velocity, 1e-3)
        self.arrived = False

    def advance(self, now_ns: int, measured: np.ndarray) -> tuple[np.ndarray | None, str]:
        """The target (A,) that is due now, None where none is; and what went wrong, empty where nothing did."""
        elapsed = (now_ns - self._begin_ns) * 1e-9
        target = self._start + (self._goal - self._start) * min(elapsed / self._duration_s, 1.0)
        if np.abs(target - measured).max() > LAG:
            return None, f"parking: the joints stay {np.abs(target - measured).max():.2f} rad behind: is one blocked?"
        self.arrived = elapsed >= self._duration_s and bool(np.abs(self._goal - measured).max() < ARRIVED)
        if self.arrived:
            return None, ""
        if elapsed > self._duration_s + SETTLE_S:
            return None, f"parking: {np.abs(self._goal - measured).max():.3f} rad short of the rest pose"
        if now_ns < self._next_ns:
            return None, ""
        self._next_ns = now_ns + PERIOD_NS
        return target, ""
