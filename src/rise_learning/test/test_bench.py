"""The benchmark command: what its JSON holds, how it times, and what its alternatives compute."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from rise_learning import bench
from rise_learning.benchmarks.control import (
    LATENCY_STEPS,
    REPLAN_STEPS,
    ChunkList,
    NaiveSwitch,
    executed,
    interval_error_ms,
    lateness_ms,
)
from rise_learning.benchmarks.lateness import probe
from rise_learning.benchmarks.measure import Measurement, race
from rise_learning.benchmarks.transformer_policy import sample_without_cache, small_policy
from rise_learning.benchmarks.workload import temporary_workload
from rise_robot.core.ensembler import ChunkEnsembler


def test_one_json_object_with_every_figure_beside_its_alternative(capsys: pytest.CaptureFixture[str]) -> None:
    bench.bench(["--json", "--only", "ensembler"])
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"machine", "seconds", "results"} and set(report["results"]) == {"ensembler"}
    for row in report["results"]["ensembler"]:
        assert row["value"] > 0 and row["alternative_value"] > 0 and row["alternative"] and row["rounds"] >= 1
        assert row["better"] == "lower" and row["ratio"] == pytest.approx(row["alternative_value"] / row["value"])
    assert bench.table(report["results"]).count("\n") == len(report["results"]["ensembler"])


def test_unknown_benchmark_is_refused_with_the_valid_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.parse(["--only", "speed"])
    message = capsys.readouterr().err
    assert all(name in message for name in bench.BENCHMARKS)


def test_ratio_above_one_means_better_whichever_direction_is_good() -> None:
    assert Measurement("rate", "1/s", 6.0, "other", 3.0, "higher", 1).ratio == 2.0
    assert Measurement("time", "s", 6.0, "other", 3.0, "lower", 1).ratio == 0.5
    assert Measurement("time", "s", 0.0, "other", 3.0, "lower", 1).ratio is None, "infinity is not JSON"


def test_race_takes_turns_and_does_not_count_the_warmup() -> None:
    calls: list[str] = []
    clock = iter(range(100)).__next__
    times = race(lambda: calls.append("a"), lambda: calls.append("b"), rounds=2, warmup=1, clock=lambda: float(clock()))
    assert "".join(calls) == "ab" + "abab" and [each.tolist() for each in times] == [[1, 1], [1, 1]]
    (spent,) = race(lambda: None, rounds=50, budget_s=0.0)
    assert len(spent) == 1, "one round at least, no more when the budget is spent"


def test_drift_adds_to_lateness_but_not_to_the_error_of_a_period() -> None:
    ticks = (np.arange(4) * 12_000_000).astype(np.int64)  # every 12 ms instead of 10
    np.testing.assert_allclose(lateness_ms(ticks, 0.010), [2.0, 4.0, 6.0])
    np.testing.assert_allclose(interval_error_ms(ticks, 0.010), [2.0, 2.0, 2.0])


def test_the_alternative_ensembler_averages_the_chunks_that_reach_a_step() -> None:
    chunks = ChunkList(decay=0.0)
    chunks.add(0, np.zeros((4, 1)), 0)
    chunks.add(2, np.ones((4, 1)), 2)
    found = [chunks.action(step) for step in (1, 3, 5, 6)]
    assert [None if action is None else action.tolist() for action in found] == [[0.0], [0.5], [1.0], None]


def test_naive_switching_executes_the_newest_chunk_and_ensembling_meets_it_without_a_jump() -> None:
    plan = np.zeros((90, 2))
    starts = np.arange(0, len(plan) - 30, REPLAN_STEPS)
    error = np.random.default_rng(0).normal(scale=0.02, size=(len(starts), 1, 2)) * [1.0, 0.0]
    chunks = np.array([plan[start : start + 30] for start in starts]) + error
    assert not chunks[:, :, 1].any() and chunks[0, 0, 0] != chunks[1, 0, 0], "every chunk errs in its own way"
    switched, blended = executed(NaiveSwitch(), chunks), executed(ChunkEnsembler(2), chunks)
    np.testing.assert_allclose(switched[:REPLAN_STEPS], chunks[0, LATENCY_STEPS : LATENCY_STEPS + REPLAN_STEPS])
    np.testing.assert_allclose(switched[REPLAN_STEPS], chunks[1, LATENCY_STEPS])
    np.testing.assert_allclose(blended[REPLAN_STEPS], chunks[0, LATENCY_STEPS + REPLAN_STEPS], atol=1e-12)


def test_both_loops_say_how_late_their_commands_left_and_with_which_priority() -> None:
    pytest.importorskip("rclpy")
    ours, theirs = probe(priority=0, seconds=1.0)
    assert (ours["loop"], theirs["loop"]) == ("thread", "timer")
    for figures in (ours, theirs):
        assert figures["scheduling"] == "normal (not asked for)"
        assert 0.0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"] and figures["overruns"] >= 0


def test_the_alternative_without_a_prefix_cache_samples_the_same_chunk() -> None:
    with temporary_workload() as workload:
        policy, inputs, _ = small_policy(workload, 2)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.1)  # at first the expert's gates are closed
    noise = torch.randn(2, policy.config.basis_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = policy.eval().sample(inputs, noise, steps=3)
        torch.testing.assert_close(ours, sample_without_cache(policy, inputs, noise, 3))
    assert (ours[0] - ours[1]).abs().max() > 1e-3
