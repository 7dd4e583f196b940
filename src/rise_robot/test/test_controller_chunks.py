"""The control loop: what reaches the robot when chunks are good, late, broken or missing."""

from __future__ import annotations

import numpy as np
import pytest
from controller_bench import CONTRACT, HOME, PERIOD, Bench, K, assert_at_rest_within_limits
from hypothesis import given, settings
from hypothesis import strategies as st

from rise_robot.core.chunk import Chunk, make_chunk
from rise_robot.core.errors import ChunkRefusedError, CommandError
from rise_robot.core.supervisor import Mode


def test_chunk_is_executed_step_by_step_and_late_steps_are_dropped() -> None:
    bench = Bench()
    bench.tick(4)
    chunk = bench.chunk(0.5, age=3)
    merge = bench.controller.feed_chunk(chunk, bench.now)
    assert (merge.dropped, merge.overlap, merge.appended) == (3, 0, K - 3)
    for j in range(3, K):
        assert bench.tick().mode is Mode.POLICY
        np.testing.assert_allclose(bench.command, chunk.actions[j], atol=1e-9)
    assert bench.outputs[-1].chunk_age_s == pytest.approx((K - 1) * PERIOD, abs=1e-6)


def test_a_short_blend_follows_the_newest_chunk_sooner() -> None:
    reached = []
    for blend_steps in (0, 4):
        bench = Bench(blend_steps=blend_steps)
        bench.controller.feed_chunk(bench.chunk(0.0), bench.now)
        bench.tick(2)
        bench.controller.feed_chunk(bench.chunk(0.3), bench.now)
        bench.tick(10)
        reached.append(bench.command[0] - HOME[0])
    assert 0 < reached[0] < 0.5 * reached[1]


def test_chunks_stop_coming_hold_then_controlled_stop() -> None:
    bench = Bench(stop_after_s=1.0)
    bench.controller.feed_chunk(bench.chunk(2.0), bench.now)
    bench.tick(K)
    moving = bench.command
    held = bench.tick()
    assert (held.mode, held.reason) == (Mode.HOLD, "no chunk in time")
    bench.tick(10)
    assert bench.controller.supervisor.authority is Mode.POLICY, "held, not yet stopped"
    assert 0 <= bench.command[0] - moving[0] < 0.1, "it brakes within the limits and does not go back"
    bench.tick(30)
    assert bench.controller.supervisor.authority is Mode.HOLD
    assert bench.outputs[-1].reason == "controlled stop: no chunk in time"
    assert bench.controller.holds == {"chunk": 1}
    with pytest.raises(ChunkRefusedError, match="hold has authority"):
        bench.controller.feed_chunk(bench.chunk(0.1), bench.now)
    assert_at_rest_within_limits(bench)


def test_a_chunk_during_the_hold_resumes() -> None:
    bench = Bench()
    bench.controller.feed_chunk(bench.chunk(0.3), bench.now)
    bench.tick(K + 5)
    bench.controller.feed_chunk(Chunk(bench.now, np.tile(bench.command, (K, 1))), bench.now)
    assert bench.tick().mode is Mode.POLICY


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_chunk_that_is_not_finite_never_reaches_the_robot(bad: float) -> None:
    positions = np.tile(HOME, (K, 1))
    positions[7, 3] = bad
    with pytest.raises(CommandError, match="left_joint4.*not finite"):
        make_chunk(CONTRACT, stamp_ns=0, joint_names=CONTRACT.joint_names, dt=PERIOD, chunk_size=K,
                   positions=positions.ravel())  # fmt: skip


def test_malformed_chunks_are_refused_with_what_was_expected() -> None:
    good = {"stamp_ns": 0, "joint_names": CONTRACT.joint_names, "dt": PERIOD, "chunk_size": K,
            "positions": np.tile(HOME, (K, 1)).ravel()}  # fmt: skip
    for change, message in (
        ({"joint_names": CONTRACT.joint_names[:-1]}, "not those of the contract"),
        ({"joint_names": [*CONTRACT.joint_names[:-1], "left_joint1"]}, "not those of the contract"),
        ({"positions": np.zeros(3)}, "3 numbers for chunk_size 50"),
        ({"chunk_size": 0, "positions": np.zeros(0)}, "1..50 rows"),
        ({"dt": 0.02}, "not the control period"),
        ({"dt": float("nan")}, "not the control period"),
    ):
        with pytest.raises(CommandError, match=message):
            make_chunk(CONTRACT, **{**good, **change})


def test_joints_in_another_order_are_put_in_order() -> None:
    names = list(reversed(CONTRACT.joint_names))
    chunk = make_chunk(CONTRACT, stamp_ns=0, joint_names=names, dt=PERIOD, chunk_size=2,
                       positions=np.tile(HOME[::-1], 2))  # fmt: skip
    np.testing.assert_array_equal(chunk.actions, np.tile(HOME, (2, 1)))


@pytest.mark.parametrize(("age", "reason"), [(40, "stale"), (-3, "future")])
def test_old_and_future_observations_are_refused_and_counted(age: int, reason: str) -> None:
    bench = Bench()
    bench.tick(45)
    with pytest.raises(ChunkRefusedError) as refusal:
        bench.controller.feed_chunk(bench.chunk(0.5, age=age), bench.now)
    bench.controller.count_refusal(refusal.value)
    bench.controller.count_refusal(CommandError("not finite"))
    assert refusal.value.reason == reason and bench.controller.refused == {reason: 1, "malformed": 1}
    bench.tick(2)
    np.testing.assert_array_equal(bench.command, HOME)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-3, 45), st.floats(-2, 2), st.booleans()), max_size=12))
def test_whatever_arrives_the_commands_keep_the_limits_and_end_at_rest(
    arrivals: list[tuple[int, int, float, bool]],
) -> None:
    bench = Bench()
    for wait, age, offset, feedback in arrivals:
        bench.tick(wait, feedback=feedback) if wait else None
        try:
            bench.controller.feed_chunk(bench.chunk(offset, age=age), bench.now)
        except ChunkRefusedError:
            continue
    bench.tick(100)
    assert_at_rest_within_limits(bench)
    assert bench.outputs[-1].mode is Mode.HOLD
