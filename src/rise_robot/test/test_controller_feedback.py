"""The control loop: what reaches the robot when joints or cameras fall silent, are broken, or do not follow."""

from __future__ import annotations

import numpy as np
import pytest
from controller_bench import CONTRACT, HOME, PERIOD, START, A, Bench, assert_at_rest_within_limits

from rise_robot.core.chunk import Chunk, make_trajectory
from rise_robot.core.errors import CommandError
from rise_robot.core.supervisor import Mode
from rise_robot.core.trajectory_controller import TrajectoryController


def test_no_command_before_the_first_feedback() -> None:
    controller = TrajectoryController(CONTRACT)
    output = controller.update(START)
    assert output.command is None and "no joint feedback" in output.reason


def test_stale_feedback_holds_and_fresh_feedback_resumes() -> None:
    bench = Bench()
    bench.controller.feed_chunk(bench.chunk(1.0), bench.now)
    bench.tick(10)
    modes = [bench.tick(feedback=False).mode for _ in range(8)]
    assert modes[:2] == [Mode.POLICY] * 2 and modes[4:] == [Mode.HOLD] * 4, "stale after 0.1 s"
    assert bench.outputs[-1].reason == "joint feedback older than 0.1 s"
    assert (bench.outputs[-1].command == bench.outputs[-2].command).all()
    assert bench.tick().mode is Mode.POLICY
    assert bench.controller.holds == {"joint_feedback": 1}


def test_stale_feedback_for_long_is_a_controlled_stop() -> None:
    bench = Bench(stop_after_s=0.5)
    bench.controller.feed_chunk(bench.chunk(1.0), bench.now)
    bench.tick(5)
    bench.tick(30, feedback=False)
    assert bench.controller.supervisor.authority is Mode.HOLD
    assert_at_rest_within_limits(bench)


def test_broken_feedback_is_refused_and_counted() -> None:
    bench = Bench()
    with pytest.raises(CommandError, match="finite"):
        bench.controller.feed_joints(bench.now, np.full(A, np.nan))
    with pytest.raises(CommandError, match="older"):
        bench.controller.feed_joints(START - 1, HOME)
    assert bench.controller.refused == {"joint_feedback": 2}


def jump_of_feedback(resume: bool) -> tuple[Bench, np.ndarray]:
    """A moving robot whose joint 1 is suddenly measured 1 rad away."""
    bench = Bench(resume_after_jump=resume)
    bench.controller.feed_chunk(bench.chunk(2.0), bench.now)
    bench.tick(20)
    bench.measured = HOME - np.eye(A)[0]
    return bench, bench.measured.copy()


def test_reset_simulation_forgets_the_plan_and_starts_from_there() -> None:
    bench, elsewhere = jump_of_feedback(resume=True)
    assert bench.tick().mode is Mode.HOLD and bench.controller.supervisor.authority is Mode.POLICY
    np.testing.assert_array_equal(bench.command, elsewhere)
    assert bench.controller.resyncs == 1


def test_sensor_that_jumps_is_not_followed() -> None:
    bench, _ = jump_of_feedback(resume=False)
    before = bench.command
    assert bench.tick().mode is Mode.ESTOP and "jumped: left_joint1" in bench.outputs[-1].reason
    bench.tick(30)
    assert 0 <= bench.command[0] - before[0] < 0.1, "it brakes; the command is not the measurement"
    assert_at_rest_within_limits(bench)


def test_feedback_with_an_offset_does_not_run_away() -> None:
    """Following a measurement that is always beside the command would move the arm on and on."""
    bench = Bench(Mode.POLICY, jump_tolerance=1.0)
    for _ in range(80):
        bench.measured = bench.measured + 0.6 * np.eye(A)[0]
        bench.tick()
    assert bench.outputs[-1].mode is Mode.ESTOP and "nor their own position" in bench.outputs[-1].reason
    assert bench.controller.resyncs == 1 and bench.command[0] - HOME[0] < 0.7


@pytest.mark.parametrize(("known_delay", "mode"), [(3.0, Mode.POLICY), (0.0, Mode.HOLD)])
def test_a_robot_that_gets_its_commands_later_follows_when_that_is_known(known_delay: float, mode: Mode) -> None:
    bench = Bench(following_tolerance=0.2, following_periods=3, following_delay_s=known_delay * PERIOD)
    slope = 2.0 * np.eye(A)[0] * PERIOD * np.arange(20)[:, None]  # 2 rad/s: 0.2 rad behind after three periods
    bench.controller.feed_chunk(Chunk(bench.now, HOME + slope), bench.now)
    for _ in range(19):
        bench.tick()
        trailing = [output.command for output in bench.outputs[-4:] if output.command is not None]
        bench.measured = trailing[0] - 0.05 * np.eye(A)[0] * (len(bench.outputs) > 4)
    assert bench.outputs[-1].mode is mode, bench.outputs[-1].reason


def test_commands_that_begin_anew_at_the_measured_joints_say_so() -> None:
    """Whoever interpolates between commands must not do it over this step."""
    bench, _ = jump_of_feedback(resume=True)
    assert [k for k, output in enumerate(bench.outputs) if output.restarted] == [0]
    bench.tick(3)
    assert [k for k, output in enumerate(bench.outputs) if output.restarted] == [0, 21]


def test_lost_camera_holds_a_policy_and_no_person() -> None:
    for mode, expected in ((Mode.POLICY, Mode.HOLD), (Mode.HUMAN, Mode.HUMAN)):
        bench = Bench(mode, watch_cameras=True)
        for camera in CONTRACT.camera_names:
            bench.controller.feed_camera(camera, bench.now)
        if mode is Mode.POLICY:
            bench.controller.feed_chunk(bench.chunk(0.1), bench.now)
        else:
            still = {"joint_names": CONTRACT.joint_names, "times_s": [0.0], "positions": [HOME.tolist()]}
            bench.controller.feed_trajectory(make_trajectory(CONTRACT, stamp_ns=0, **still), bench.now)
        assert bench.tick(6).mode is mode, "fresh for 0.2 s"
        for camera in CONTRACT.camera_names[1:]:
            bench.controller.feed_camera(camera, bench.now)
        assert bench.tick(3).mode is expected
    assert bench.controller.holds == {}


def test_robot_that_does_not_follow_loses_authority() -> None:
    bench = Bench()
    bench.controller.feed_chunk(bench.chunk(2.0), bench.now)
    for _ in range(45):
        bench.measured = HOME.copy()  # blocked
        bench.tick()
    assert bench.controller.supervisor.authority is Mode.HOLD
    assert "do not follow" in bench.outputs[-1].reason
    np.testing.assert_array_equal(bench.command, HOME)
