"""Cost of the temporal ensembler, the jumps that it avoids, and how punctual a 30 Hz loop is."""

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


def seams(workload: Workload) -> list[Measurement]:
    """Jumps of the commanded velocity where a policy's chunks meet, blended or switched at once, on the same chunks."""
    contract: Contract = workload.contract
    revolute = np.array([joint.unit == "rad" for joint in contract.joints])
    makers = (lambda: ChunkEnsembler(contract.action_dim), NaiveSwitch)
    found: list[list[np.ndarray]] = [[], []]
    for chunks in workload.answered(REPLAN_STEPS, LATENCY_STEPS):
        for jumps, make in zip(found, makers, strict=True):
            jumps.append(np.abs(np.diff(executed(make(), chunks), 2, axis=0))[:, revolute].max(1))
    blended, switched = (np.concatenate(jumps) * contract.control_rate_hz for jumps in found)
    at_seams = np.concatenate(
        [np.arange(len(jumps)) % REPLAN_STEPS == REPLAN_STEPS - 1 for jumps in found[0]]
    ).nonzero()[0]  # the step from the old chunk to the new one
    other, count = "the new chunk at once", len(at_seams)
    rows = [
        ("velocity jump at a seam, median", np.median(blended[at_seams]), np.median(switched[at_seams])),
        ("velocity jump at a seam, p99", np.percentile(blended[at_seams], 99), np.percentile(switched[at_seams], 99)),
        ("velocity jump anywhere, p99", np.percentile(blended, 99), np.percentile(switched, 99)),
    ]
    return [
        Measurement(what, "rad/s", float(ours), other, float(theirs), "lower", count) for what, ours, theirs in rows
    ]


class NaiveSwitch:
    """Chunk switching: whatever arrived last is executed, its steps that have passed are left out."""

    def add(self, first_step: int, actions: np.ndarray, next_step: int) -> None:
        self._first, self._actions = first_step, actions

    def action(self, step: int) -> np.ndarray:
        found: np.ndarray = self._actions[step - self._first]
        return found


def executed(merge: ChunkEnsembler | NaiveSwitch, chunks: np.ndarray) -> np.ndarray:
    """(T, A) the commands from chunks (N, K, A) that arrive LATENCY_STEPS late, every REPLAN_STEPS."""
    rows = []
    for step in range(len(chunks) * REPLAN_STEPS):
        number, phase = divmod(step, REPLAN_STEPS)
        if phase == 0:
            merge.add(step, chunks[number], step + LATENCY_STEPS)
        rows.append(merge.action(step + LATENCY_STEPS))
    return np.array(rows)


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
