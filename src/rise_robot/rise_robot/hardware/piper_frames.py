"""The bytes of every CAN frame of the AgileX Piper that this project sends or reads.

Standard 11-bit ids, eight bytes, big-endian, 1 Mbit/s. `encode` and `decode` are inverses up to the resolution of the
wire: 0.001 deg, 1 um, 0.001 N m, 0.001 rad/s, 0.001 A.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import NamedTuple

from rise_robot.core.errors import FrameError
from rise_robot.hardware.piper_messages import (
    JOINTS,
    PAIRS,
    ArmStatus,
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
    StopCommand,
)

_DEG = math.pi / 180_000  # rad per 0.001 deg
_MIT_RANGES = ((-12.5, 12.5, 16), (-45.0, 45.0, 12), (0.0, 500.0, 12), (-5.0, 5.0, 12), (-8.0, 8.0, 8))
"""Range and bits of position (rad), velocity (rad/s), kp, kd and torque (N m) in an MIT command."""


class Frame(NamedTuple):
    """Identifier and data bytes of one CAN frame."""

    id: int
    data: bytes


def encode(message: Message) -> Frame:
    """The frame of a message. Raises FrameError when a number does not fit its field."""
    try:
        return _encode(message)
    except struct.error as error:
        raise FrameError(f"{message} does not fit its frame: {error}") from error


def decode(frame: Frame) -> Message | None:
    """The message of a frame; None for ids that are not listed here. Raises FrameError when it is not eight bytes."""
    reader = _READERS.get(frame.id)
    if reader is None:
        return None
    if len(frame.data) != 8:
        raise FrameError(f"frame {frame.id:#x} has {len(frame.data)} bytes, expected 8")
    return reader(frame.id, bytes(frame.data))


def _encode(message: Message) -> Frame:
    match message:
        case StopCommand(stop):
            return Frame(0x150, struct.pack(">B7x", stop))
        case ModeCommand(control, move, speed, mit):
            return Frame(0x151, struct.pack(">BBBB4x", control, move, speed, 0xAD if mit else 0))
        case JointCommand(pair, positions):
            return Frame(0x155 + pair, _pack_angles(positions))
        case GripperCommand(opening, torque, code, set_zero):
            zero = 0xAE if set_zero else 0
            return Frame(0x159, struct.pack(">iHBB", round(opening * 1e6), round(torque * 1e3), code, zero))
        case MitCommand(motor, position, velocity, kp, kd, torque):
            return Frame(0x159 + motor, _pack_mit((position, velocity, kp, kd, torque)))
        case EnableCommand(motor, enable):
            return Frame(0x471, struct.pack(">BB6x", motor, 2 if enable else 1))
        case FirmwareFrame(text):
            return Frame(0x4AF, struct.pack(">8s", text))
        case ArmStatus(control, condition, move, errors, is_moving):
            return Frame(0x2A1, struct.pack(">BBBBBBH", control, condition, move, 0, is_moving, 0, errors))
        case FlangePose(part, (a, b)):
            first = 1e6 if part < 2 else 1 / _DEG
            second = 1e6 if part < 1 else 1 / _DEG
            return Frame(0x2A2 + part, struct.pack(">ii", round(a * first), round(b * second)))
        case JointFeedback(pair, positions):
            return Frame(0x2A5 + pair, _pack_angles(positions))
        case GripperFeedback(opening, torque, status):
            return Frame(0x2A8, struct.pack(">ihBx", round(opening * 1e6), round(torque * 1e3), status))
        case MotorFast(motor, velocity, current, position):
            fields = round(velocity * 1e3), round(current * 1e3), round(position * 1e3)
            return Frame(0x250 + motor, struct.pack(">hhi", *fields))
        case MotorSlow(motor, voltage, driver, hot, status, current):
            return Frame(
                0x260 + motor, struct.pack(">HhbBH", round(voltage * 10), driver, hot, status, round(current * 1e3))
            )


def _pack_angles(positions: tuple[float, float]) -> bytes:
    return struct.pack(">ii", *(round(angle / _DEG) for angle in positions))


def _angles(data: bytes) -> tuple[float, float]:
    first, second = struct.unpack(">ii", data)
    return first * _DEG, second * _DEG


def _pack_mit(values: tuple[float, ...]) -> bytes:
    """Sixty bits of five numbers, then the exclusive or of the seven bytes before as a nibble."""
    bits = 0
    for value, (low, high, width) in zip(values, _MIT_RANGES, strict=True):
        if not low <= value <= high:
            raise FrameError(f"MIT command {value} is not within {low} to {high}")
        bits = bits << width | round((value - low) / (high - low) * (2**width - 1))
    data = bytearray((bits << 4).to_bytes(8, "big"))
    data[7] |= _nibble(data)
    return bytes(data)


def _nibble(data: bytes | bytearray) -> int:
    checksum = 0
    for byte in data[:7]:
        checksum ^= byte
    return checksum & 0xF


def _read_mit(frame_id: int, data: bytes) -> MitCommand:
    if data[7] & 0xF != _nibble(data):
        raise FrameError(f"MIT command {data.hex()} has checksum {data[7] & 0xF:x}, expected {_nibble(data):x}")
    bits, values = int.from_bytes(data, "big") >> 4, []
    for low, high, width in reversed(_MIT_RANGES):
        values.append(low + (bits & (2**width - 1)) / (2**width - 1) * (high - low))
        bits >>= width
    position, velocity, kp, kd, torque = reversed(values)
    return MitCommand(frame_id - 0x159, position, velocity, kp, kd, torque)


def _read_mode(_: int, data: bytes) -> ModeCommand:
    return ModeCommand(data[0], data[1], data[2], data[3] == 0xAD)


def _read_gripper_command(_: int, data: bytes) -> GripperCommand:
    opening, torque, code, zero = struct.unpack(">iHBB", data)
    return GripperCommand(opening * 1e-6, torque * 1e-3, code, zero == 0xAE)


def _read_status(_: int, data: bytes) -> ArmStatus:
    control, condition, move, _teach, moving, _number, errors = struct.unpack(">BBBBBBH", data)
    return ArmStatus(control, condition, move, errors, bool(moving))


def _read_pose(frame_id: int, data: bytes) -> FlangePose:
    part, (a, b) = frame_id - 0x2A2, struct.unpack(">ii", data)
    return FlangePose(part, (a * (1e-6 if part < 2 else _DEG), b * (1e-6 if part < 1 else _DEG)))


def _read_gripper(_: int, data: bytes) -> GripperFeedback:
    opening, torque, status = struct.unpack(">ihBx", data)
    return GripperFeedback(opening * 1e-6, torque * 1e-3, status)


def _read_fast(frame_id: int, data: bytes) -> MotorFast:
    velocity, current, position = struct.unpack(">hhi", data)
    return MotorFast(frame_id - 0x250, velocity * 1e-3, current * 1e-3, position * 1e-3)


def _read_slow(frame_id: int, data: bytes) -> MotorSlow:
    voltage, driver, hot, status, current = struct.unpack(">HhbBH", data)
    return MotorSlow(frame_id - 0x260, voltage * 0.1, driver, hot, status, current * 1e-3)


_READERS: dict[int, Callable[[int, bytes], Message]] = {
    0x150: lambda _, data: StopCommand(data[0]),
    0x151: _read_mode,
    **{0x155 + pair: lambda i, data: JointCommand(i - 0x155, _angles(data)) for pair in range(PAIRS)},
    0x159: _read_gripper_command,
    **{0x159 + motor: _read_mit for motor in range(1, JOINTS + 1)},
    0x471: lambda _, data: EnableCommand(data[0], data[1] == 2),
    0x4AF: lambda _, data: FirmwareFrame(data),
    0x2A1: _read_status,
    **{0x2A2 + part: _read_pose for part in range(3)},
    **{0x2A5 + pair: lambda i, data: JointFeedback(i - 0x2A5, _angles(data)) for pair in range(PAIRS)},
    0x2A8: _read_gripper,
    **{0x250 + motor: _read_fast for motor in range(1, JOINTS + 1)},
    **{0x260 + motor: _read_slow for motor in range(1, JOINTS + 1)},
}
