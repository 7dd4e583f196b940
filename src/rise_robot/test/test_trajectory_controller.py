"""The control loop: what reaches the robot when inputs are good, late, broken or missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rise_robot.core.chunk import Chunk, make_chunk, make_trajectory
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ChunkRefusedError, CommandError, ModeError
from rise_robot.core.supervisor import Mode
from rise_robot.core.trajectory_controller import ControllerConfig, ControlOutput, TrajectoryController

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
A, K, PERIOD = CONTRACT.action_dim, CONTRACT.chunk_size, CONTRACT.control_period_s
START = 1_000_000_000_000
HOME = np.where(CONTRACT.joint_array("lower") < 0, -0.5, 0.5)
HOME = np.clip(HOME, CONTRACT.joint_array("lower") + 0.02, CONTRACT.joint_array("upper") - 0.02)


class Bench:
    """A controller with a robot that is always where it was told to be, one period ago."""

    def __init__(self, mode: Mode = Mode.POLICY, **config: float | bool) -> None:
        self.controller = TrajectoryController(CONTRACT, ControllerConfig(**config))
        self.step, self.measured, self.outputs = 0, HOME.copy(), list[ControlOutput]()
        self.controller.request(mode, "test", START)
        self.tick()

    @property
    def now(self) -> int:
        return START + round(self.step * 1e9 * PERIOD)

    @property
    def command(self) -> np.ndarray:
        assert self.outputs[-1].command is not None
        return self.outputs[-1].command

    def tick(self, count: int = 1, *, feedback: bool = True) -> ControlOutput:
        for _ in range(count):
            if feedback:
                self.controller.feed_joints(self.now, self.measured)
            output = self.controller.update(self.now)
            self.outputs.append(output)
            self.measured = self.command
            self.step += 1
        return output

    def chunk(self, offset: float, age: int = 0, size: int = K) -> Chunk:
        """A ramp of joint 1 from HOME by `offset`, as seen `age` steps before now."""
        actions = np.tile(HOME, (size, 1))
        actions[:, 0] += offset * np.linspace(0, 1, size)
        return Chunk(self.now - round(age * 1e9 * PERIOD), actions)


def assert_at_rest_within_limits(bench: Bench) -> None:
    commands = np.array([output.command for output in bench.outputs])
    velocity = np.diff(commands, axis=0) / PERIOD
    assert (np.abs(velocity) <= CONTRACT.joint_array("max_velocity") * (1 + 1e-9)).all()
    assert (np.abs(np.diff(velocity, axis=0)) / PERIOD <= CONTRACT.joint_array("max_acceleration") * (1 + 1e-6)).all()
    assert (commands[-1] == commands[-2]).all(), "the last command is a command to stay"


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


def test_broken_feedback_is_refused_and_counted() -> None:
    bench = Bench()
    with pytest.raises(CommandError, match="finite"):
        bench.controller.feed_joints(bench.now, np.full(A, np.nan))
    with pytest.raises(CommandError, match="older"):
        bench.controller.feed_joints(START - 1, HOME)
    assert bench.controller.refused == {"joint_feedback": 2}


def test_no_command_before_the_first_feedback() -> None:
    controller = TrajectoryController(CONTRACT)
    output = controller.update(START)
    assert output.command is None and "no joint feedback" in output.reason


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
