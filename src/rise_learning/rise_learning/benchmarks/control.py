"""Cost of the temporal ensembler, and how punctual a 30 Hz loop is."""

from __future__ import annotations

import threading
import time

import numpy as np

from rise_learning.benchmarks.measure import Measurement, race
from rise_learning.benchmarks.workload import Workload
from rise_robot.core.contract import Contract
from rise_robot.core.ensembler import ChunkEnsembler
from rise_robot.core.pacing import Pacer

STEPS = 1500
"""Control steps of one round of the ensembler."""
REPLAN_STEPS = 6
"""A chunk arrives this often (5 Hz)."""
LATENCY_STEPS = 3
"""Control steps between an observation and the arrival of its chunk."""
PACING_S = 3.0


class ChunkList:
    """Temporal ensembling as ACT describes it: keep the chunks, average all that speak of a step at every step."""

    def __init__(self, decay: float = 0.01) -> None:
        self._chunks: list[tuple[int, np.ndarray]] = []
        self._decay = decay

    def add(self, first_step: int, actions: np.ndarray, next_step: int) -> None:
        self._chunks = [(first, old) for first, old in self._chunks if first + len(old) > next_step]
        self._chunks.append((first_step, actions))

    def action(self, step: int) -> np.ndarray | None:
        """(A,) average with weights exp(-decay i), i = 0 for the oldest chunk; None where no chunk reaches."""
        rows = [actions[step - first] for first, actions in self._chunks if first <= step < first + len(actions)]
        if not rows:
            return None
        weights = np.exp(-self._decay * np.arange(len(rows)))
        mean: np.ndarray = (np.array(rows) * weights[:, None]).sum(0) / weights.sum()
        return mean


def drive(ensembler: ChunkEnsembler | ChunkList, chunks: np.ndarray) -> None:
    """STEPS control steps; `chunks` (N, K, A) arrive in turn, every REPLAN_STEPS."""
    for step in range(LATENCY_STEPS, LATENCY_STEPS + STEPS):
        number, phase = divmod(step - LATENCY_STEPS, REPLAN_STEPS)
        if phase == 0:
            ensembler.add(step - LATENCY_STEPS, chunks[number % len(chunks)], step)
        ensembler.action(step)


def ensembler(workload: Workload) -> list[Measurement]:
    """Time per control step, arrivals of chunks included."""
    contract: Contract = workload.contract
    chunks = np.random.default_rng(0).normal(size=(32, contract.chunk_size, contract.action_dim))
    ours, theirs = race(
        lambda: drive(ChunkEnsembler(contract.action_dim), chunks), lambda: drive(ChunkList(), chunks), rounds=7
    )
    name = "a list of chunks, averaged at every step (ACT)"
    ours_us, theirs_us = (float(np.median(each)) * 1e6 / STEPS for each in (ours, theirs))
    return [Measurement("add and action per control step", "CPU us", ours_us, name, theirs_us, "lower", len(ours))]


def pacing(workload: Workload) -> list[Measurement]:
    """Ticks of two threads that run side by side at the contract's rate, with nothing to do in them."""
    period = 1.0 / workload.contract.control_rate_hz
    count = round(PACING_S / period)
    found: dict[str, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda: found.update(ours=_absolute_ticks(period, count))),
        threading.Thread(target=lambda: found.update(theirs=_sleeping_ticks(period, count))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = []
    for what, errors_of in (("lateness", lateness_ms), ("error of a period", interval_error_ms)):
        ours, theirs = (errors_of(found[name], period) for name in ("ours", "theirs"))
        for rank in (50, 99):
            value, other = float(np.percentile(ours, rank)), float(np.percentile(theirs, rank))
            rows.append(
                Measurement(f"{what} p{rank}", "ms", value, "time.sleep(period) in a loop", other, "lower", count)
            )
    return rows


def lateness_ms(ticks_ns: np.ndarray, period_s: float) -> np.ndarray:
    """(N - 1,) ms that ticks (N,) come after the grid that the first one begins."""
    ideal = ticks_ns[0] + np.arange(len(ticks_ns)) * period_s * 1e9
    return ((ticks_ns - ideal) * 1e-6)[1:]


def interval_error_ms(ticks_ns: np.ndarray, period_s: float) -> np.ndarray:
    """(N - 1,) ms by which the time between two ticks misses the period."""
    return np.abs(np.diff(ticks_ns) * 1e-6 - period_s * 1e3)


def _absolute_ticks(period: float, count: int) -> np.ndarray:
    pacer = Pacer(period, time.monotonic_ns, threading.Event().wait)
    origin = pacer.deadline_ns
    ticks = [origin]
    for _ in range(count):
        pacer.sleep()
        ticks.append(time.monotonic_ns())
    return np.array(ticks)


def _sleeping_ticks(period: float, count: int) -> np.ndarray:
    ticks = [time.monotonic_ns()]
    for _ in range(count):
        time.sleep(period)
        ticks.append(time.monotonic_ns())
    return np.array(ticks)
