"""How a deployment ran: latencies, ages of executed plans, holds and refusals, from what the nodes report; no ROS."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np


@dataclass
class DeploymentFigures:
    """Collects while `running`; the counters of the controller and of the loops count on, so differences are taken.

    Attributes:
        running: an episode runs.
    """

    running: bool = False
    _latencies_s: list[float] = field(default_factory=list)
    _chunk_ages_s: list[float] = field(default_factory=list)
    _start_delays_s: list[float] = field(default_factory=list)
    _modes: Counter[str] = field(default_factory=Counter)
    _reasons: Counter[str] = field(default_factory=Counter)
    _started_ns: int | None = None
    _counts: dict[str, int] = field(default_factory=dict)
    _totals: Counter[str] = field(default_factory=Counter)

    def begin(self, stamp_ns: int) -> None:
        """An episode begins."""
        self.running, self._started_ns = True, stamp_ns

    def end(self) -> None:
        """It is over."""
        self.running = False

    def add_latency(self, seconds: float) -> None:
        """From an observation's stamp to the publication of its chunk."""
        if self.running and math.isfinite(seconds):
            self._latencies_s.append(seconds)

    def add_control(self, stamp_ns: int, mode: str, reason: str, chunk_age_s: float) -> None:
        """One control period."""
        if not self.running or (self._started_ns is not None and stamp_ns < self._started_ns):
            return
        self._modes[mode] += 1
        if mode != "policy":
            self._reasons[reason] += 1
            return
        self._chunk_ages_s.append(chunk_age_s)
        if self._started_ns is not None:
            self._start_delays_s.append((stamp_ns - self._started_ns) * 1e-9)
            self._started_ns = None

    def add_count(self, name: str, value: int) -> None:
        """A counter that only rises; what it rose by during episodes is summed."""
        risen = value - self._counts.get(name, value)
        if self.running and risen > 0:
            self._totals[name] += risen
        self._counts[name] = value

    def summary(self) -> dict[str, object]:
        """Plain values, ms and counts, for JSON."""
        return {
            "inferences": len(self._latencies_s),
            "latency_ms": _percentiles(self._latencies_s),
            "chunk_age_ms": _percentiles(self._chunk_ages_s),
            "start_delay_ms": _percentiles(self._start_delays_s),
            "periods": dict(self._modes),
            "not_commanding": dict(self._reasons),
            **{name: self._totals.get(name, 0) for name in sorted(self._counts)},
        }


def _percentiles(seconds: list[float]) -> dict[str, float] | None:
    """Of finite values, in ms; None without any."""
    if not seconds:
        return None
    p50, p99 = np.percentile(seconds, [50, 99])
    return {name: round(float(1e3 * s), 1) for name, s in (("p50", p50), ("p99", p99), ("max", max(seconds)))}
