"""The driver's core against emulated arms: it moves on good commands, and on nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from piper_world import CONTRACT, World

from rise_robot.core.errors import ContractError, HardwareError, JointCommandRefusedError
from rise_robot.core.interpolation import CommandInterpolator
from rise_robot.hardware.emulated_piper import PERIOD_S
from rise_robot.hardware.piper_joints import arms_of
from rise_robot.hardware.piper_robot import PiperRobot, State

RAISED = np.tile([0.2, 0.4, -0.4, 0.1, 0.1, -0.1, 0.03], 2)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def raise_arms(world: World) -> None:
    """From rest to RAISED in half a second of commands, then settle there."""
    start = world.robot.positions()
    for i in range(1, 16):
        world.move(start + (RAISED - start) * i / 15)
    for _ in range(10):
        world.move(RAISED)


def joints(world: World) -> np.ndarray:
    """(12,) true joint angles of both emulated arms."""
    return np.concatenate([arm.plant.positions for arm in world.emulated])


def test_activation_enables_every_motor_and_moves_nothing(world: World) -> None:
    world.activate()
    assert world.robot.state is State.ACTIVE
    assert all(arm.enabled.all() for arm in world.emulated) and np.abs(joints(world)).max() == 0.0
    world.run(0.1)
    assert [arm.port.firmware() for arm in world.arms] == ["S-V1.8-5", "S-V1.8-5"]


def test_commands_move_both_arms_and_feedback_is_where_they_are(world: World) -> None:
    world.activate()
    raise_arms(world)
    measured = world.robot.positions()
    np.testing.assert_allclose(measured, RAISED, atol=1e-3)
    np.testing.assert_allclose(measured[[0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]], joints(world), atol=1e-5)
    assert not world.robot.guard.refused and all(arm.port.failed == 0 for arm in world.arms)


def wave_by_setpoints(world: World, seconds: float) -> np.ndarray:
    """A wave of 30 commands a second, interpolated to 200: (N, 12) true joints, after every setpoint."""
    interpolator, rows = CommandInterpolator(CONTRACT.control_period_s), []
    start, begin = world.robot.positions(), world.now_ns
    for k in range(round(seconds * 30)):
        stamp = begin + round(k * 1e9 / 30)
        phase = 2 * np.pi * k / 30
        interpolator.feed(stamp, start + 0.1 * np.sin(phase) * (np.arange(14) % 7 == 0))
        while world.now_ns < stamp + 1e9 / 30:
            world.robot.execute(world.now_ns, interpolator.at(world.now_ns), world.now_ns)
            world.run(PERIOD_S)
            rows.append(joints(world))
    return np.array(rows)


def test_setpoints_at_the_rate_of_the_feedback_are_followed_smoothly(world: World) -> None:
    world.activate()
    raise_arms(world)
    rows = wave_by_setpoints(world, 2.0)
    assert not world.robot.guard.refused
    assert np.ptp(rows[:, 0]) == pytest.approx(0.2, rel=0.1), "the joints swing as they were told to"
    steps = np.abs(np.diff(rows[:, 0])).max()
    assert steps < 1.2 * 0.1 * 2 * np.pi * PERIOD_S, "no step is larger than the wave's own speed"


@pytest.mark.parametrize("age_s", [None, 0.15])
def test_setpoints_that_end_or_are_stale_leave_the_arms_on_the_last_target(world: World, age_s: float | None) -> None:
    world.activate()
    raise_arms(world)
    wave_by_setpoints(world, 0.4)
    target = np.concatenate([arm.targets for arm in world.emulated])
    for _ in range(200):
        if age_s is None:
            world.run(PERIOD_S)
        else:
            with pytest.raises(JointCommandRefusedError):
                world.robot.execute(world.now_ns - round(age_s * 1e9), RAISED + 0.05, world.now_ns)
            world.run(PERIOD_S)
    np.testing.assert_array_equal(np.concatenate([arm.targets for arm in world.emulated]), target)
    np.testing.assert_allclose(joints(world), target, atol=1e-3)
    assert world.robot.state is State.ACTIVE and set(world.robot.guard.refused) == ({"stale"} if age_s else set())


@pytest.mark.parametrize(
    ("command", "stamp_s", "reason"),
    [
        (RAISED * np.nan, 0.0, "not_finite"),
        (RAISED + 0.3, 0.0, "out_of_limits"),
        (RAISED + 0.05 * np.eye(14)[6], 0.0, "out_of_limits"),
        (RAISED + 0.5 * np.eye(14)[7], 0.0, "jump"),
        (RAISED + 1.0 * np.eye(14)[7], 0.0, "too_far"),
        (RAISED, -1.0, "stale"),
        (RAISED, 1.0, "future"),
    ],
)
def test_a_bad_command_moves_no_arm(world: World, command: np.ndarray, stamp_s: float, reason: str) -> None:
    world.activate()
    raise_arms(world)
    before = joints(world)
    with pytest.raises(JointCommandRefusedError) as refused:
        world.move(command, world.now_ns + round(stamp_s * 1e9))
    assert refused.value.reason == reason and world.robot.guard.refused == {reason: 1}
    world.run(0.3)
    np.testing.assert_allclose(joints(world), before, atol=2e-3)
    assert world.robot.state is State.ACTIVE, "a bad command is no fault of the robot"


def test_nothing_is_executed_before_activation(world: World) -> None:
    world.robot.connect(world.run, 1.0)
    with pytest.raises(JointCommandRefusedError, match="activate the driver"):
        world.move(np.zeros(14))
    assert world.robot.guard.refused == {"not_active": 1}
    assert not world.emulated[0].received.get("JointCommand")


def test_without_commands_it_holds_and_the_next_one_has_to_engage(world: World) -> None:
    world.activate()
    raise_arms(world)
    before = joints(world)
    world.run(1.0)
    np.testing.assert_allclose(joints(world), before, atol=1e-3)
    assert world.robot.guard.age_s(world.now_ns) > 1.0
    with pytest.raises(JointCommandRefusedError, match="begins over"):
        world.move(RAISED + 0.2 * np.eye(14)[0])
    world.move(RAISED)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("silence", "right: no joint feedback"),
        ("lost_pair:1", "right: no joint feedback"),
        ("dead_motor:3", "right: joint communication"),
        ("overheat:4", "right: motor 4 motor too hot"),
        ("estop", "right: emergency stop"),
        ("teach", "right: control mode 2"),
    ],
)
def test_a_fault_of_one_arm_stops_both_and_latches(world: World, fault: str, words: str) -> None:
    world.activate()
    raise_arms(world)
    world.break_arm(1, fault)
    world.run(0.7)
    assert world.robot.state is State.FAULT and words in world.robot.reason
    before = world.emulated[0].plant.positions.copy()
    commands = world.emulated[0].received["JointCommand"]
    for _ in range(5):
        with pytest.raises(JointCommandRefusedError):
            world.move(RAISED + 0.02)
    assert world.emulated[0].received["JointCommand"] == commands, "nothing is sent to the healthy arm either"
    np.testing.assert_allclose(world.emulated[0].plant.positions, before, atol=1e-3)
    world.break_arm(1, "clear")
    world.run(0.7)
    assert world.robot.state is State.FAULT, "latched although the cause is gone"


def test_a_short_gap_refuses_commands_and_is_no_fault(world: World) -> None:
    world.activate()
    raise_arms(world)
    world.break_arm(0, "silence")
    world.run(0.15)
    with pytest.raises(JointCommandRefusedError, match="no joint feedback"):
        world.move(RAISED)
    assert world.robot.guard.refused == {"no_feedback": 1}
    world.break_arm(0, "clear")
    world.run(0.1)
    world.move(RAISED)
    assert world.robot.state is State.ACTIVE


def test_lost_frames_are_bridged(world: World) -> None:
    """Every tenth feedback frame is lost: nobody notices."""
    world.activate()
    for arm in (0, 1):
        world.break_arm(arm, "drop:10")
    raise_arms(world)
    np.testing.assert_allclose(world.robot.positions(), RAISED, atol=2e-3)
    assert world.robot.state is State.ACTIVE and not world.robot.guard.refused


def test_a_latched_fault_ends_by_deactivating_and_activating(world: World) -> None:
    world.activate()
    raise_arms(world)
    world.break_arm(0, "silence")
    world.run(0.7)
    world.break_arm(0, "clear")
    world.run(0.1)
    with pytest.raises(HardwareError, match="only a robot that is ready"):
        world.robot.activate()
    world.robot.deactivate()
    before = joints(world)
    world.robot.activate()
    world.run(0.2)
    np.testing.assert_allclose(joints(world), before, atol=1e-3)
    world.move(RAISED)
    assert world.robot.state is State.ACTIVE and world.robot.faults == 1


def test_motors_that_do_not_enable_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(enable_timeout_s=0.5)
    monkeypatch.setattr(world.emulated[1], "_switch", lambda motor, enable: None)
    world.robot.connect(world.run, 1.0)
    with pytest.raises(HardwareError, match=r"right: motors \[1, 2, 3, 4, 5, 6\] not enabled within 0.5 s"):
        world.robot.activate()
    assert world.robot.state is State.READY
    world.close()


def test_an_arm_with_a_fault_is_not_enabled(world: World) -> None:
    world.robot.connect(world.run, 1.0)
    world.break_arm(1, "dead_motor:5")
    world.run(0.1)
    with pytest.raises(HardwareError, match="right: joint communication; right: error bits 0x0010"):
        world.robot.activate()
    assert not world.emulated[1].enabled.any()


def test_a_silent_arm_is_named_on_connecting(world: World) -> None:
    world.break_arm(1, "silence")
    world.run(0.6)
    with pytest.raises(HardwareError, match=r"^right: no joint feedback for .* waited 1 s: is the arm powered"):
        world.robot.connect(world.run, 1.0)


def test_emergency_stop_and_reset_let_the_arms_down(world: World) -> None:
    world.activate()
    raise_arms(world)
    with pytest.raises(HardwareError, match="reset drops the arms"):
        world.robot.reset()
    world.robot.emergency_stop()
    world.run(0.5)
    assert 0.02 < RAISED[1] - world.emulated[0].plant.positions[1] < 0.2, "sinks"
    world.robot.deactivate()
    with pytest.raises(HardwareError, match="emergency stop"):
        world.robot.activate()
    world.robot.reset()
    world.run(0.5)
    assert np.abs(world.emulated[0].plant.positions[[1, 2]]).max() < 0.01, "drops"
    world.robot.activate()
    assert world.robot.state is State.ACTIVE, "the first enable after a reset is swallowed, so it is repeated"


def test_parking_is_slow_and_ends_without_power_at_rest(world: World) -> None:
    world.activate()
    raise_arms(world)
    world.robot.park()
    with pytest.raises(JointCommandRefusedError):
        world.move(RAISED)
    fastest = 0.0
    while world.robot.state is State.PARKING:
        before = joints(world)
        world.run(0.1)
        fastest = max(fastest, np.abs(joints(world) - before).max() / 0.1)
    assert world.robot.reason == "parked, motors off" and fastest < 0.4
    assert np.abs(joints(world)).max() < 0.03 and not any(arm.enabled.any() for arm in world.emulated)


def test_a_parking_pose_in_degrees_is_refused(world: World) -> None:
    pose = np.array([0.0, 60.0, -60.0, 0.0, 0.0, 0.0])
    with pytest.raises(HardwareError, match="takes left_joint2 .* to 60 rad, out of its limits 0 to 3.14"):
        PiperRobot(CONTRACT, world.arms, lambda: world.now_ns, park_pose=pose)


def test_a_stop_ends_parking_where_the_arms_are(world: World) -> None:
    world.activate()
    raise_arms(world)
    world.robot.park()
    world.run(0.5)
    world.robot.hold("emergency stop")
    assert world.robot.state is State.FAULT and world.robot.faults == 1
    world.run(0.3)
    here = joints(world)
    world.run(1.0)
    assert np.abs(joints(world) - here).max() < 0.005 and np.abs(here).max() > 0.1, "on the way, and staying there"
    assert all(arm.enabled.all() for arm in world.emulated)


def test_parking_gives_up_when_a_joint_is_blocked(world: World) -> None:
    world.activate()
    raise_arms(world)
    world.break_arm(0, "stuck:2")
    world.robot.park()
    while world.robot.state is State.PARKING:
        world.run(0.1)
    assert world.robot.state is State.FAULT
    assert all(arm.enabled.all() for arm in world.emulated), "an arm that is not at rest keeps its power"


def test_a_wrong_dh_convention_shows_at_the_flange(world: World) -> None:
    world.activate()
    raise_arms(world)
    arm = world.arms[0]
    assert arm.flange_error_m("current") < 1e-4 and arm.flange_error_m("old") > 3e-3


def test_the_virtual_bus_keeps_nothing_that_nobody_reads(world: World) -> None:
    """The SDK's own second bus fills for ever."""
    world.activate()
    raise_arms(world)
    wire = world.arms[0].port.sdk.GetCanBus()
    assert wire.send_bus is wire.recv_bus and wire.recv_bus.queue.qsize() < 50


def test_arms_come_from_the_contract() -> None:
    assert arms_of(CONTRACT) == ("left", "right")
    swapped = dataclasses.replace(CONTRACT, joints=CONTRACT.joints[::-1])
    with pytest.raises(ContractError, match="ARM_joint1 to 6"):
        arms_of(swapped)
