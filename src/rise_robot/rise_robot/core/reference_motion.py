"""A small, smooth motion of all joints and figures of how it was carried out: for the first motion of a new robot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rise_robot.core.contract import Contract


class ReferenceMotion:
    """Every joint swings from where it is, away from its nearer limit and back, as (1 - cos) / 2: it starts at rest.

    Args:
        start: (A,) rad; grippers m.
        amplitude: rad; grippers swing by the same part of their stroke as of 1 rad.
        period_s: of one swing.
    """

    def __init__(self, contract: Contract, start: np.ndarray, amplitude: float, period_s: float) -> None:
        lower, upper = contract.joint_array("lower"), contract.joint_array("upper")
        revolute = np.array([joint.unit == "rad" for joint in contract.joints])
        away = np.where(start - lower < upper - start, 1.0, -1.0)
        self._way = away * np.minimum(np.where(revolute, amplitude, amplitude * (upper - lower)), 0.5 * (upper - lower))
        self._start, self._period_s = np.clip(start, lower, upper), period_s

    def positions(self, times_s: np.ndarray) -> np.ndarray:
        """(N, A) at times (N,) since the begin; before it the start."""
        phase = 2 * np.pi * np.maximum(times_s, 0.0) / self._period_s
        return self._start + 0.5 * (1.0 - np.cos(phase))[:, None] * self._way


@dataclass(frozen=True)
class StreamFigures:
    """Of one topic: `rate_hz` counts messages by their stamps, gaps lie between stamps, age is stamp to arrival."""

    messages: int
    rate_hz: float
    gap_p50_ms: float
    gap_p99_ms: float
    gap_max_ms: float
    age_p50_ms: float
    age_p99_ms: float

    @classmethod
    def of(cls, stamps_ns: Sequence[int], arrivals_ns: Sequence[int]) -> StreamFigures:
        """From stamps and arrivals (N,) on one clock, at least two. Raises ValueError for fewer."""
        if len(stamps_ns) < 2:
            raise ValueError(f"{len(stamps_ns)} messages are too few for a rate")
        stamps = np.array(stamps_ns, dtype=np.int64)
        gaps = np.diff(stamps) * 1e-6
        ages = (np.array(arrivals_ns, dtype=np.int64) - stamps) * 1e-6
        gap_p50, gap_p99 = np.percentile(gaps, [50, 99])
        age_p50, age_p99 = np.percentile(ages, [50, 99])
        rate = 1e9 * (len(stamps) - 1) / float(stamps[-1] - stamps[0])
        figures = (rate, gap_p50, gap_p99, gaps.max(), age_p50, age_p99)
        return cls(len(stamps), *(round(float(figure), 3) for figure in figures))


def delay_s(
    command_ns: np.ndarray, commands: np.ndarray, state_ns: np.ndarray, states: np.ndarray, longest_s: float = 0.5
) -> tuple[float, float]:
    """By how much measured joints trail their commands: delay in s that fits best, and the rms error left, rad.

    Args:
        command_ns, commands: (N,), (N, A).
        state_ns, states: (M,), (M, A).
    """
    inside = (state_ns > command_ns[0] + longest_s * 1e9) & (state_ns < command_ns[-1])
    times, measured = (state_ns[inside] - command_ns[0]) * 1e-9, states[inside]
    grid = (command_ns - command_ns[0]) * 1e-9
    best = (float("nan"), float("inf"))
    for delay in np.arange(0.0, longest_s, 0.005):
        told = np.stack([np.interp(times - delay, grid, column) for column in commands.T], axis=1)
        error = float(np.sqrt(np.mean((told - measured) ** 2)))
        if error < best[1]:
            best = (float(delay), error)
    return best
