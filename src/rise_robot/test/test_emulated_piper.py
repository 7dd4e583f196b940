"""The emulated Piper behaves as the arm does: enabling, modes, limits, stop and resume, rates; faults on command."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from rise_robot.core.errors import HardwareError
from rise_robot.hardware.emulated_faults import Fault
from rise_robot.hardware.emulated_piper import ENABLE_S, PERIOD_S, EmulatedPiper
from rise_robot.hardware.emulated_plant import MAX_VELOCITY
from rise_robot.hardware.piper_frames import Frame, decode, encode
from rise_robot.hardware.piper_messages import (
    ENABLED,
    ArmStatus,
    Condition,
    Control,
    EnableCommand,
    FirmwareFrame,
    FlangePose,
    GripperCommand,
    GripperFeedback,
    JointCommand,
    JointFeedback,
    Message,
    MitCommand,
    ModeCommand,
    MotorFast,
    MotorSlow,
    Move,
    Stop,
    StopCommand,
)
from rise_robot.sim.kinematics import PiperKinematics

TARGET = np.array([0.5, 1.0, -0.8, 0.3, 0.2, -0.4])


def tell(arm: EmulatedPiper, *messages: Message) -> None:
    for message in messages:
        arm.receive(encode(message))


def go(arm: EmulatedPiper, target: np.ndarray) -> None:
    tell(arm, *(JointCommand(pair, (target[2 * pair], target[2 * pair + 1])) for pair in range(3)))


def live(arm: EmulatedPiper, seconds: float) -> list[Message]:
    """What it says in that time."""
    frames = [frame for _ in range(round(seconds / PERIOD_S)) for frame in arm.step()]
    return [message for message in map(decode, frames) if message is not None]


def newest(messages: list[Message], kind: type) -> Message:
    return [message for message in messages if isinstance(message, kind)][-1]


def newest_pair(messages: list[Message], pair: int) -> tuple[float, float]:
    return [message for message in messages if isinstance(message, JointFeedback) and message.pair == pair][
        -1
    ].positions


@pytest.fixture
def arm() -> EmulatedPiper:
    """Enabled, in CAN joint mode."""
    arm = EmulatedPiper()
    tell(arm, EnableCommand(7, True), ModeCommand(Control.CAN, Move.JOINT, 100))
    live(arm, ENABLE_S + PERIOD_S)
    return arm


def test_it_tracks_and_reports_where_it_is(arm: EmulatedPiper) -> None:
    go(arm, TARGET)
    tell(arm, GripperCommand(0.05, 1.0, 1))
    said = live(arm, 1.0)
    np.testing.assert_allclose(arm.plant.positions, TARGET, atol=1e-4)
    angles = [angle for pair in range(3) for angle in newest_pair(said, pair)]
    np.testing.assert_allclose(angles, TARGET, atol=1e-4)
    grip = newest(said, GripperFeedback)
    assert isinstance(grip, GripperFeedback) and grip.opening == pytest.approx(0.05) and grip.status & ENABLED


def test_feedback_comes_at_200_hz_and_temperatures_at_40(arm: EmulatedPiper) -> None:
    counts = Counter(frame.id for _ in range(200) for frame in arm.step())
    fast = {0x2A1, *range(0x2A2, 0x2A9), *range(0x251, 0x257)}
    assert {frame_id: counts[frame_id] for frame_id in fast} == dict.fromkeys(fast, 200)
    assert [counts[frame_id] for frame_id in range(0x261, 0x267)] == 6 * [40]


def test_it_never_exceeds_the_speed_it_was_allowed(arm: EmulatedPiper) -> None:
    tell(arm, ModeCommand(Control.CAN, Move.JOINT, 50))
    go(arm, np.array([2.0, 2.0, -2.0, 1.0, 1.0, 2.0]))
    for _ in range(100):
        before = arm.plant.positions.copy()
        arm.step()
        assert np.abs(arm.plant.positions - before).max() <= 0.5 * MAX_VELOCITY * PERIOD_S + 1e-12


def test_motors_report_no_velocity_like_the_firmware_people_complain_about(arm: EmulatedPiper) -> None:
    go(arm, TARGET)
    assert all(m.velocity == 0.0 for m in live(arm, 0.1) if isinstance(m, MotorFast))
    arm.reports_velocity = True
    assert any(m.velocity != 0.0 for m in live(arm, 0.1) if isinstance(m, MotorFast))


def test_nothing_moves_before_it_is_enabled_and_in_can_mode() -> None:
    arm = EmulatedPiper()
    tell(arm, ModeCommand(Control.CAN, Move.JOINT, 100))
    go(arm, TARGET)
    live(arm, 0.5)
    assert np.abs(arm.plant.positions).max() == 0.0, "not enabled"
    arm = EmulatedPiper()
    tell(arm, EnableCommand(7, True))
    live(arm, 0.5)
    go(arm, TARGET)
    live(arm, 0.5)
    assert np.abs(arm.plant.positions).max() == 0.0, "in standby"


def test_enabling_takes_time_and_an_old_target_is_forgotten() -> None:
    arm = EmulatedPiper()
    tell(arm, ModeCommand(Control.CAN, Move.JOINT, 100))
    go(arm, TARGET)
    tell(arm, EnableCommand(7, True))
    slow = newest(live(arm, ENABLE_S / 2), MotorSlow)
    assert isinstance(slow, MotorSlow) and not slow.status & ENABLED
    slow = newest(live(arm, 1.0), MotorSlow)
    assert isinstance(slow, MotorSlow) and slow.status & ENABLED
    assert np.abs(arm.plant.positions).max() == 0.0, "an arm that wakes up stays where it is"


def test_targets_beyond_a_limit_are_refused_and_said(arm: EmulatedPiper) -> None:
    tell(arm, JointCommand(0, (3.0, 0.5)))
    status = newest(live(arm, 0.5), ArmStatus)
    assert isinstance(status, ArmStatus) and status.condition == Condition.TARGET_OUT_OF_RANGE
    assert arm.plant.positions[0] == 0.0
    tell(arm, JointCommand(0, (0.1, 0.1)))
    status = newest(live(arm, 0.5), ArmStatus)
    assert isinstance(status, ArmStatus) and status.condition == Condition.NORMAL


def test_under_emergency_stop_it_sinks_and_resume_cuts_the_power(arm: EmulatedPiper) -> None:
    go(arm, TARGET)
    live(arm, 1.0)
    tell(arm, StopCommand(Stop.STOP))
    live(arm, 0.5)
    sunk = TARGET[1] - arm.plant.positions[1]
    assert 0.02 < sunk < 0.2, "slowly"
    go(arm, TARGET)
    live(arm, 0.2)
    assert arm.plant.positions[1] < TARGET[1] - sunk, "and takes no command"
    tell(arm, StopCommand(Stop.RESUME))
    live(arm, 0.3)
    assert not arm.enabled.any() and arm.plant.positions[1] < TARGET[1] - 0.4, "it drops"
    tell(arm, EnableCommand(7, True))
    live(arm, 0.5)
    assert not arm.enabled.any(), "the first enable after a reset is swallowed"
    tell(arm, EnableCommand(7, True))
    live(arm, 0.5)
    assert arm.enabled.all()


def test_mit_commands_move_only_in_mit_mode(arm: EmulatedPiper) -> None:
    command = MitCommand(1, 0.3, 0.0, 10.0, 0.8, 0.0)
    tell(arm, command)
    live(arm, 0.5)
    assert arm.plant.positions[0] == 0.0
    tell(arm, ModeCommand(Control.CAN, Move.MIT, 100, mit=True), command)
    live(arm, 0.5)
    assert arm.plant.positions[0] == pytest.approx(0.3, abs=1e-3)


def test_flange_pose_is_forward_kinematics_of_its_firmware() -> None:
    for convention in ("current", "old"):
        arm = EmulatedPiper(TARGET, convention)
        parts = [m.values for m in live(arm, PERIOD_S) if isinstance(m, FlangePose)]
        flange = PiperKinematics(convention).link_transforms(arm.plant.positions)[5]
        np.testing.assert_allclose([*parts[0], parts[1][0]], flange[:3, 3], atol=1e-6)


def test_it_answers_with_its_firmware(arm: EmulatedPiper) -> None:
    tell(arm, FirmwareFrame(b"\x01"))
    texts = [m.text for m in live(arm, PERIOD_S) if isinstance(m, FirmwareFrame)]
    assert b"S-V1.8-5" in texts


def test_a_dead_motor_falls_silent_and_its_joint_drops(arm: EmulatedPiper) -> None:
    go(arm, TARGET)
    live(arm, 1.0)
    arm.receive(Fault("dead_motor", 2).frame())
    said = live(arm, 0.5)
    assert {m.motor for m in said if isinstance(m, MotorFast | MotorSlow)} == {1, 3, 4, 5, 6}
    status = newest(said, ArmStatus)
    assert isinstance(status, ArmStatus)
    assert (status.condition, status.errors) == (Condition.JOINT_COMMUNICATION, 1 << 1)
    assert arm.plant.positions[1] < TARGET[1] - 0.3


def test_frames_are_lost_at_the_rate_asked_for() -> None:
    arm = EmulatedPiper()
    arm.receive(Fault.parse("drop:25").frame())
    heard = sum(len(arm.step()) for _ in range(400))
    assert heard == pytest.approx(0.75 * 400 * (14 + 6 / 5), rel=0.05)


def test_silence_is_a_cut_cable_until_it_is_mended(arm: EmulatedPiper) -> None:
    arm.receive(Fault("silence").frame())
    go(arm, TARGET)
    assert live(arm, 0.1) == [] and arm.plant.positions[0] == 0.0, "it does not hear either"
    arm.receive(Fault("clear").frame())
    assert live(arm, 0.1)


@pytest.mark.parametrize("text", ["explode", "drop", "drop:101", "dead_motor:0", "stuck:7", "silence:1", "drop:-1"])
def test_faults_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(HardwareError):
        Fault.parse(text)


def test_frames_of_others_mean_nothing_to_it(arm: EmulatedPiper) -> None:
    before = dict(arm.received)
    arm.receive(Frame(0x123, bytes(8)))
    assert arm.received == before
