"""Absolute deadlines for a periodic loop, and how late it really was."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lateness:
    """Statistics of the last ticks: ms after the deadline, and whole periods that were skipped since the start."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    overruns: int

    @classmethod
    def of(cls, late_ms: Sequence[float] | np.ndarray, overruns: int) -> Lateness:
        """Of ticks; zeros where there are none."""
        if not len(late_ms):
            return cls(0.0, 0.0, 0.0, overruns)
        p50, p99 = np.percentile(late_ms, [50, 99])
        return cls(float(p50), float(p99), float(np.max(late_ms)), overruns)


def aligned_origin(period_s: float, phase: float, wall_ns: int, monotonic_ns: int) -> int:
    """Monotonic time (ns) of the next instant that lies `phase` periods after a whole multiple of the period.

    Processes that align themselves by one wall clock keep a fixed order within each period without talking: the
    robot's state at phase 0, the controller 40 % of a period later.
    """
    period_ns = period_s * 1e9
    count = np.floor(wall_ns / period_ns - phase) + 1
    return monotonic_ns + round((count + phase) * period_ns) - wall_ns


def timer_deadlines(called_ns: Sequence[int], origin_ns: int, period_s: float) -> np.ndarray:
    """(N,) ns: what each call of a timer was due for, on the clock of its calls.

    A timer of ROS has one deadline per period; those that have passed when it is called are skipped.

    Args:
        called_ns: (N,) when it was called.
        origin_ns: when it was made.
    """
    period_ns, due, deadlines = period_s * 1e9, origin_ns + period_s * 1e9, []
    for called in called_ns:
        deadlines.append(due)
        due += period_ns
        if due < called:
            due += period_ns * (1 + (called - due) // period_ns)
    return np.array(deadlines)


class WallOffset:
    """Turns monotonic deadlines into stamps. The offset follows the wall clock only in steps of over 1 ms.

    Stamps of one grid then differ by exact multiples of its period, as the true instants do.
    """

    def __init__(self, wall_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._wall_ns, self._monotonic_ns = wall_ns, monotonic_ns
        self._offset_ns = wall_ns() - monotonic_ns()

    def stamp(self, monotonic_ns: int) -> int:
        offset = self._wall_ns() - self._monotonic_ns()
        if abs(offset - self._offset_ns) > 1_000_000:
            self._offset_ns = offset
        return monotonic_ns + self._offset_ns


class Pacer:
    """Sleeps until `origin + n * period`; errors never add up.

    A loop that falls more than `slack` periods behind does not race to catch up: the missed periods are counted as
    overruns, and it goes on at the next deadline on the same grid.

    Args:
        period_s: between two deadlines.
        clock_ns: monotonic time; injected.
        wait: `wait(seconds)` returns early, with True, when the loop is to end (`threading.Event.wait`).
        origin_ns: a deadline on the injected clock; now where None.
        slack: whole periods behind the deadline that are still caught up.
    """

    def __init__(
        self,
        period_s: float,
        clock_ns: Callable[[], int],
        wait: Callable[[float], bool],
        *,
        origin_ns: int | None = None,
        slack: int = 2,
    ) -> None:
        self._period_ns, self._clock_ns, self._wait, self._slack = period_s * 1e9, clock_ns, wait, slack
        self._origin_ns = clock_ns() if origin_ns is None else origin_ns
        self._count = 0
        self._late_ms: deque[float] = deque(maxlen=1024)
        self._overruns = 0

    @property
    def deadline_ns(self) -> int:
        """The deadline that was waited for last, on the injected clock."""
        return self._origin_ns + round(self._count * self._period_ns)

    def sleep(self) -> bool:
        """Wait for the next deadline. False when the loop is to end."""
        self._count += 1
        behind = (self._clock_ns() - self.deadline_ns) / self._period_ns
        if behind > self._slack:
            self._overruns += int(behind)
            self._count += int(behind)
        remaining = (self.deadline_ns - self._clock_ns()) * 1e-9
        if self._wait(max(remaining, 0.0)):
            return False
        self._late_ms.append(max((self._clock_ns() - self.deadline_ns) * 1e-6, 0.0))
        return True

    def lateness(self) -> Lateness:
        return Lateness.of(self._late_ms, self._overruns)
