"""The control loop: hand-over between policy and people, their trajectories, the emergency stop."""

from __future__ import annotations

import numpy as np
import pytest
from controller_bench import CONTRACT, HOME, PERIOD, Bench, K, assert_at_rest_within_limits

from rise_robot.core.chunk import Chunk, Trajectory, make_trajectory
from rise_robot.core.errors import ChunkRefusedError, CommandError, ModeError
from rise_robot.core.supervisor import Mode


def test_handover_is_bumpless_and_old_observations_do_not_count() -> None:
    bench = Bench()
    bench.controller.feed_chunk(bench.chunk(2.0), bench.now)
    bench.tick(25)
    bench.controller.request(Mode.HUMAN, "takes over", bench.now)
    assert bench.tick(20).reason == "human: waiting for input"
    target = bench.command + 0.2 * (bench.command < 0)
    bench.controller.feed_trajectory(
        make_trajectory(CONTRACT, stamp_ns=0, joint_names=CONTRACT.joint_names, times_s=[0.5], positions=[target]),
        bench.now,
    )
    assert bench.tick(20).mode is Mode.HUMAN
    np.testing.assert_allclose(bench.command, target, atol=1e-9)
    with pytest.raises(ChunkRefusedError, match="human has authority"):
        bench.controller.feed_chunk(bench.chunk(0.0), bench.now)
    bench.controller.request(Mode.POLICY, "gives back", bench.now)
    with pytest.raises(ChunkRefusedError, match="older"):
        bench.controller.feed_chunk(Chunk(bench.now - 1_000_000, np.tile(HOME, (K, 1))), bench.now)
    bench.tick(5)
    assert_at_rest_within_limits(bench)


def stay(bench: Bench) -> Trajectory:
    """One point, where the arms are commanded to be."""
    return Trajectory(0, np.zeros(1), bench.command[None].copy())


def late_tick(bench: Bench, periods: float) -> None:
    """The tick that is due now is `periods` late, and a target that asks to stay comes before it."""
    here, late = bench.command.copy(), bench.now + round(periods * 1e9 * PERIOD)
    bench.controller.feed_trajectory(stay(bench), late)
    for _ in range(8):
        bench.tick()
        np.testing.assert_allclose(bench.command, here, atol=1e-9)
        bench.controller.feed_trajectory(stay(bench), bench.now)


@pytest.mark.parametrize("periods", [0.0, 0.8, 1.8, 2.6])
def test_nobody_goes_on_to_what_the_policy_wanted_before_a_takeover(periods: float) -> None:
    """The first target after it may come while a tick is late, and then begins behind that one."""
    bench = Bench()
    bench.controller.feed_chunk(Chunk(bench.now, np.tile(HOME + 0.9 * (HOME < 0), (K, 1))), bench.now)
    bench.tick(2)
    bench.controller.request(Mode.HUMAN, "takes over", bench.now)
    bench.tick(30)
    late_tick(bench, periods)


@pytest.mark.parametrize("after", ["start", "policy", "stop"])
def test_a_target_whose_time_was_skipped_leaves_the_arms_where_they_are(after: str) -> None:
    bench = Bench(Mode.DEMO)
    if after != "start":
        bench.controller.request(Mode.POLICY, "leaps", bench.now)
        bench.controller.feed_chunk(Chunk(bench.now, np.tile(HOME + 0.9 * (HOME < 0), (K, 1))), bench.now)
        bench.tick(3)
    if after == "stop":
        bench.controller.request(Mode.ESTOP, "pressed", bench.now)
        bench.tick(20)
        bench.controller.clear_emergency_stop("over", bench.now)
    bench.controller.request(Mode.HUMAN, "takes over", bench.now)
    bench.tick(30)
    here = bench.command.copy()
    bench.controller.feed_trajectory(stay(bench), bench.now)
    bench.step += 3
    assert bench.tick(40).reason == "human: waiting for input"
    np.testing.assert_allclose(bench.command, here, atol=1e-9)


def test_trajectory_is_a_straight_line_and_its_end_is_held() -> None:
    bench = Bench(Mode.DEMO)
    end = HOME.copy()
    end[0] += 0.3
    trajectory = make_trajectory(
        CONTRACT, stamp_ns=bench.now, joint_names=CONTRACT.joint_names, times_s=[9 * PERIOD], positions=[end]
    )
    bench.controller.feed_trajectory(trajectory, bench.now)
    bench.tick(10)
    moved = [float(output.command[0] - HOME[0]) for output in bench.outputs[-10:]]
    np.testing.assert_allclose(moved, 0.3 * np.arange(1, 11) / 10, atol=1e-6)
    assert bench.tick(90).mode is Mode.DEMO, "a finished trajectory is no fault"
    np.testing.assert_allclose(bench.command, end, atol=1e-9)


@pytest.mark.parametrize("ahead_s", [CONTRACT.chunk_max_age_s + 0.05, 60.0, 1.7e9])
def test_a_trajectory_of_a_clock_that_is_ahead_is_refused(ahead_s: float) -> None:
    """It would be begun too late, sampled up to there, or not fit into memory."""
    bench = Bench(Mode.DEMO)
    bench.tick(1)
    trajectory = make_trajectory(
        CONTRACT, stamp_ns=bench.now + round(ahead_s * 1e9), joint_names=CONTRACT.joint_names, times_s=[0.1],
        positions=[HOME],
    )  # fmt: skip
    with pytest.raises(ChunkRefusedError, match="clocks apart") as refused:
        bench.controller.feed_trajectory(trajectory, bench.now)
    assert refused.value.reason == "future"


@pytest.mark.parametrize("times", [[], [0.2, 0.1], [-0.1], [np.nan], [1e4]])
def test_malformed_trajectories_are_refused(times: list[float]) -> None:
    with pytest.raises(CommandError):
        make_trajectory(
            CONTRACT,
            stamp_ns=0,
            joint_names=CONTRACT.joint_names,
            times_s=times,
            positions=[HOME.tolist()] * len(times),
        )


def test_emergency_stop_brakes_latches_and_restarts_where_the_robot_is() -> None:
    bench = Bench()
    bench.controller.feed_chunk(bench.chunk(2.0), bench.now)
    bench.tick(20)
    bench.controller.request(Mode.ESTOP, "button", bench.now)
    assert bench.tick(10).mode is Mode.ESTOP
    assert_at_rest_within_limits(bench)
    with pytest.raises(ModeError):
        bench.controller.request(Mode.POLICY, "operator", bench.now)
    bench.measured = bench.measured + 0.01
    bench.tick()
    sagged = bench.command + 0.01
    bench.measured = sagged.copy()
    bench.controller.feed_joints(bench.now, sagged)
    bench.controller.clear_emergency_stop("operator", bench.now)
    assert bench.tick().mode is Mode.HOLD
    np.testing.assert_allclose(bench.command, sagged, atol=1e-9)
