"""One figure beside its alternative, both measured in the same minute on the same machine."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Measurement:
    """What this project does and what the alternative does.

    Attributes:
        quantity: what was measured.
        unit: of both values.
        value: of this project.
        alternative: what a user would pick instead.
        alternative_value: its value.
        better: which direction is good.
        rounds: how often it was measured; medians unless a percentile is named.
    """

    quantity: str
    unit: str
    value: float
    alternative: str
    alternative_value: float
    better: Better
    rounds: int

    @property
    def ratio(self) -> float | None:
        """How many times better than the alternative: below 1 the alternative wins. None where a value is 0."""
        if not self.value or not self.alternative_value:
            return None
        ratio = self.value / self.alternative_value
        return ratio if self.better == "higher" else 1 / ratio

    def to_plain(self) -> dict[str, str | float | None]:
        """As JSON prints it."""
        return {
            "quantity": self.quantity,
            "unit": self.unit,
            "value": self.value,
            "alternative": self.alternative,
            "alternative_value": self.alternative_value,
            "better": self.better,
            "ratio": self.ratio,
            "rounds": self.rounds,
        }


def cpu_seconds() -> float:
    """CPU time of this process and of its finished children: unlike wall time it does not grow on a busy machine."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def race(
    *calls: Callable[[], object],
    rounds: int,
    warmup: int = 1,
    budget_s: float = 8.0,
    clock: Callable[[], float] = cpu_seconds,
) -> list[np.ndarray]:
    """Time (R,) s of every call, taken in turns, so that a busy moment of the machine meets all alike.

    Args:
        rounds: highest R.
        warmup: calls of each that are not counted.
        budget_s: no round begins later than this (wall time), the first one excepted.
        clock: what is counted; `time.perf_counter` for latencies.
    """
    for call in calls:
        for _ in range(warmup):
            call()
    deadline, times = time.monotonic() + budget_s, [_round(calls, clock)]
    while len(times) < rounds and time.monotonic() < deadline:
        times.append(_round(calls, clock))
    return list(np.array(times).T)


def _round(calls: tuple[Callable[[], object], ...], clock: Callable[[], float]) -> list[float]:
    stamps = [clock()]
    for call in calls:
        call()
        stamps.append(clock())
    return np.diff(stamps).tolist()
