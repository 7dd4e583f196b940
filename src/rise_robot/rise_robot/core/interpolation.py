"""From 30 commands a second to the rate of a driver, without leaving the commands' limits."""

from __future__ import annotations

import numpy as np


class CommandInterpolator:
    """A uniform quadratic B-spline through the commands' neighbourhood.

    Between the midpoints of neighbouring commands p0, p1, p2 (one period T apart) it runs as

        x(s) = (1 - s)^2 / 2 p0 + (1/2 + s (1 - s)) p1 + s^2 / 2 p2,    s from 0 to 1,

    so positions stay among the commands, the velocity goes straight from (p1 - p0) / T to (p2 - p1) / T and the
    acceleration is (p2 - 2 p1 + p0) / T^2: limits that the commands keep, the curve keeps. It runs one and a half
    periods behind, and `slack` more, and ends on a command that is repeated twice. Straight lines would be one period
    behind and shake.

    Args:
        period_s: between two commands.
        slack: periods, at most 1, by which a command may come later than its stamp without a break in the curve.
        max_age_s: there are no setpoints of commands that are older.
    """

    def __init__(self, period_s: float, slack: float = 0.0, max_age_s: float = 0.1) -> None:
        self._period_ns, self._slack, self._max_age_s = period_s * 1e9, slack, max_age_s
        self.trails_s = (1.5 + slack) * period_s
        self._points: np.ndarray | None = None  # (4, A)
        self._stamp_ns = 0

    def feed(self, stamp_ns: int, command: np.ndarray) -> None:
        """The next command (A,), due at `stamp_ns`. The curve starts at rest at the first one."""
        previous = np.tile(command, (4, 1)) if self._points is None else self._points
        self._points, self._stamp_ns = np.vstack([previous[1:], command]), stamp_ns

    def reset(self) -> None:
        """Forget the commands: the next one does not continue them."""
        self._points = None

    def at(self, now_ns: int) -> np.ndarray | None:
        """(A,) to send now; None before the first command, and when the last one is older than `max_age_s`.

        A command that is late lets the curve wait at its end.
        """
        if self._points is None or (now_ns - self._stamp_ns) * 1e-9 > self._max_age_s:
            return None
        elapsed = (now_ns - self._stamp_ns) / self._period_ns - self._slack
        first = 0 if elapsed < 0.0 else 1  # of the three commands between which the curve is now
        s = min(max(elapsed + 1.0 - first, 0.0), 1.0)
        weights = np.array([0.5 * (1.0 - s) ** 2, 0.5 + s * (1.0 - s), 0.5 * s * s])
        setpoint: np.ndarray = weights @ self._points[first : first + 3]
        return setpoint
