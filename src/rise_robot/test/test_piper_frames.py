"""The bytes of every Piper frame, as the vendor's protocol has them, and as the vendor's own parser reads them."""

from __future__ import annotations

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st
from piper_sdk.piper_msgs.msg_v2 import PiperMessage
from piper_sdk.protocol.protocol_v2 import C_PiperParserV2

from rise_robot.core.errors import FrameError
from rise_robot.hardware.piper_frames import Frame, decode, encode
from rise_robot.hardware.piper_messages import (
    ENABLED,
    MOTOR_FLAGS,
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
    faults_of,
)

DEG = 0.017453292519943295

KNOWN: list[tuple[Message, int, str]] = [
    (StopCommand(Stop.STOP), 0x150, "0100000000000000"),
    (StopCommand(Stop.RESUME), 0x150, "0200000000000000"),
    (ModeCommand(Control.CAN, Move.JOINT, 100), 0x151, "0101640000000000"),
    (ModeCommand(Control.CAN, Move.MIT, 50, mit=True), 0x151, "010432ad00000000"),
    (JointCommand(0, (90 * DEG, -0.001 * DEG)), 0x155, "00015f90ffffffff"),
    (JointCommand(1, (-102.78 * DEG, 0.0)), 0x156, "fffe6e8400000000"),
    (JointCommand(2, (1 * DEG, 2 * DEG)), 0x157, "000003e8000007d0"),
    (GripperCommand(0.07, 1.0, 1), 0x159, "0001117003e80100"),
    (GripperCommand(0.0, 0.0, 0, set_zero=True), 0x159, "00000000000000ae"),
    (MitCommand(1, -12.5, -45.0, 0.0, -5.0, -8.0), 0x15A, "0000000000000000"),
    (MitCommand(6, 12.5, 45.0, 500.0, 5.0, 8.0), 0x15F, "ffffffffffffffff"),
    (EnableCommand(7, True), 0x471, "0702000000000000"),
    (EnableCommand(3, False), 0x471, "0301000000000000"),
    (FirmwareFrame(b"S-V1.8-5"), 0x4AF, "532d56312e382d35"),
    (ArmStatus(1, 5, 1, 0x0004, True), 0x2A1, "0105010001000004"),
    (FlangePose(0, (0.25, -0.1)), 0x2A2, "0003d090fffe7960"),
    (FlangePose(1, (0.3, 180 * DEG)), 0x2A3, "000493e00002bf20"),
    (FlangePose(2, (-90 * DEG, 0.0)), 0x2A4, "fffea07000000000"),
    (JointFeedback(0, (150 * DEG, 180 * DEG)), 0x2A5, "000249f00002bf20"),
    (JointFeedback(2, (-70 * DEG, 120 * DEG)), 0x2A7, "fffeee900001d4c0"),
    (GripperFeedback(0.035, -0.5, ENABLED), 0x2A8, "000088b8fe0c4000"),
    (MotorFast(1, -1.5, 2.0, 0.25), 0x251, "fa2407d0000000fa"),
    (MotorFast(6, 3.0, -0.001, -1.0), 0x256, "0bb8fffffffffc18"),
    (MotorSlow(2, 24.0, 35, 41, ENABLED | 1 << 1, 0.5), 0x262, "00f000232942" + "01f4"),
]


@pytest.mark.parametrize(("message", "frame_id", "data"), KNOWN, ids=lambda value: type(value).__name__)
def test_known_bytes_both_ways(message: Message, frame_id: int, data: str) -> None:
    assert encode(message) == Frame(frame_id, bytes.fromhex(data))
    again = decode(Frame(frame_id, bytes.fromhex(data)))
    assert again is not None and encode(again) == encode(message)
    assert type(again) is type(message)


def test_every_frame_of_the_arm_is_known() -> None:
    ids = {0x150, 0x151, 0x159, 0x471, 0x4AF, 0x2A1, 0x2A8}
    ids |= {*range(0x155, 0x158), *range(0x15A, 0x160), *range(0x2A2, 0x2A8)}
    ids |= {*range(0x251, 0x257), *range(0x261, 0x267)}
    known = {i for i in range(0x800) if decode(Frame(i, bytes(8))) is not None}
    assert known == ids


@given(st.integers(0, 2), st.tuples(*(2 * [st.floats(-3.2, 3.2)])))
def test_angles_survive_to_a_thousandth_of_a_degree(pair: int, positions: tuple[float, float]) -> None:
    again = decode(encode(JointFeedback(pair, positions)))
    assert isinstance(again, JointFeedback) and again.pair == pair
    assert again.positions == pytest.approx(positions, abs=0.00051 * DEG)


@given(
    st.integers(1, 6), st.floats(-12.5, 12.5), st.floats(-45, 45), st.floats(0, 500), st.floats(-5, 5), st.floats(-8, 8)
)
def test_mit_commands_survive_to_their_resolution(
    motor: int, position: float, velocity: float, kp: float, kd: float, torque: float
) -> None:
    again = decode(encode(MitCommand(motor, position, velocity, kp, kd, torque)))
    assert isinstance(again, MitCommand) and again.motor == motor
    assert again.position == pytest.approx(position, abs=25 / 65535)
    assert again.velocity == pytest.approx(velocity, abs=90 / 4095)
    assert again.kp == pytest.approx(kp, abs=500 / 4095)
    assert again.kd == pytest.approx(kd, abs=10 / 4095)
    assert again.torque == pytest.approx(torque, abs=16 / 255)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(FrameError, match="does not fit"):
        encode(JointCommand(0, (1e6, 0.0)))
    with pytest.raises(FrameError, match="not within"):
        encode(MitCommand(1, 13.0, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(FrameError, match="5 bytes, expected 8"):
        decode(Frame(0x2A5, bytes(5)))
    with pytest.raises(FrameError, match="checksum"):
        decode(Frame(0x15A, b"\x00\x01\x00\x00\x00\x00\x00\x00"))


def test_fault_bits_have_names_and_enabled_is_none() -> None:
    assert faults_of(ENABLED, MOTOR_FLAGS) == []
    assert faults_of(1 << 1 | 1 << 7, MOTOR_FLAGS) == ["motor too hot", "stalled"]
    assert Condition(5) is Condition.JOINT_COMMUNICATION


def read_by_sdk(message: Message) -> PiperMessage:
    frame, found = encode(message), PiperMessage()
    wire = can.Message(arbitration_id=frame.id, data=frame.data, is_extended_id=False)
    assert C_PiperParserV2().DecodeMessage(wire, found)
    return found


def test_the_vendors_parser_reads_the_same_feedback() -> None:
    """An independent judge of signs, byte order and units."""
    joints = read_by_sdk(JointFeedback(1, (-1.5, 0.5))).arm_joint_feedback
    assert (joints.joint_3, joints.joint_4) == (-85944, 28648)
    grip = read_by_sdk(GripperFeedback(0.0123, -0.4, ENABLED)).gripper_feedback
    assert (grip.grippers_angle, grip.grippers_effort, grip.foc_status.driver_enable_status) == (12300, -400, True)
    motor = read_by_sdk(MotorSlow(4, 24.1, 30, -5, ENABLED | 1, 0.25)).arm_low_spd_feedback_4
    assert (motor.vol, motor.foc_temp, motor.motor_temp, motor.bus_current) == (241, 30, -5, 250)
    assert motor.foc_status.driver_enable_status and motor.foc_status.voltage_too_low
    fast = read_by_sdk(MotorFast(2, -2.5, -1.25, 0.5)).arm_high_spd_feedback_2
    assert (fast.motor_speed, fast.current, fast.pos) == (-2500, -1250, 500)
    status = read_by_sdk(ArmStatus(1, 7, 1, 0x0201)).arm_status_msgs
    assert (int(status.ctrl_mode), int(status.arm_status), int(status.err_code)) == (1, 7, 0x0201)
