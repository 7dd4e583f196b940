"""What an AgileX Piper and its commander say to each other, one dataclass per kind of CAN frame, in SI units.

The identifiers are those of AgileX' protocol V2; `piper_frames` turns messages into bytes and back. Frames that exist
once per motor (1 to 6), or once per pair of joints (0 to 2), carry that number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

JOINTS = 6
PAIRS = 3


class Control(IntEnum):
    """Who commands the arm: byte 0 of mode commands and of the status."""

    STANDBY = 0
    CAN = 1
    TEACHING = 2


class Move(IntEnum):
    """How it moves: byte 1 of mode commands, byte 2 of the status."""

    JOINT = 1
    MIT = 4


class Stop(IntEnum):
    """Emergency stop of 0x150. RESUME cuts the power of all motors: the arm drops."""

    NONE = 0
    STOP = 1
    RESUME = 2


class Condition(IntEnum):
    """Condition of the arm, byte 1 of the status; the ones that this project names."""

    NORMAL = 0
    EMERGENCY_STOP = 1
    NO_SOLUTION = 2
    SINGULARITY = 3
    TARGET_OUT_OF_RANGE = 4
    JOINT_COMMUNICATION = 5
    BRAKE_NOT_RELEASED = 6
    COLLISION = 7
    TEACHING_OVERSPEED = 8
    JOINT_FAULT = 9
    OTHER_FAULT = 10


MOTOR_FLAGS = {
    0: "voltage too low",
    1: "motor too hot",
    2: "driver overcurrent",
    3: "driver too hot",
    4: "collision",
    5: "driver error",
    7: "stalled",
}
"""Faults by bit of a motor's status byte; bit 6 is ENABLED."""
GRIPPER_FLAGS = {
    0: "voltage too low",
    1: "motor too hot",
    2: "driver overcurrent",
    3: "driver too hot",
    4: "sensor fault",
    5: "driver error",
}
"""The same for the gripper; bit 7 says that it has found its zero."""
ENABLED = 1 << 6


def faults_of(status: int, flags: dict[int, str]) -> list[str]:
    """Names of the fault bits that are set in a status byte."""
    return [name for bit, name in flags.items() if status >> bit & 1]


@dataclass(frozen=True)
class StopCommand:
    """0x150."""

    stop: int


@dataclass(frozen=True)
class ModeCommand:
    """0x151; speed in per cent of the firmware's limit."""

    control: int
    move: int
    speed_percent: int
    mit: bool = False


@dataclass(frozen=True)
class JointCommand:
    """0x155 to 0x157: joints 2 pair + 1 and 2 pair + 2, rad."""

    pair: int
    positions: tuple[float, float]


@dataclass(frozen=True)
class GripperCommand:
    """0x159: opening in m, torque in N m; code 0 disable, 1 enable, 2 and 3 the same and clear errors."""

    opening: float
    torque: float
    code: int
    set_zero: bool = False


@dataclass(frozen=True)
class MitCommand:
    """0x15A to 0x15F: motor 1 to 6; rad, rad/s, gains, N m."""

    motor: int
    position: float
    velocity: float
    kp: float
    kd: float
    torque: float


@dataclass(frozen=True)
class EnableCommand:
    """0x471: motor 1 to 6, 7 for all."""

    motor: int
    enable: bool


@dataclass(frozen=True)
class FirmwareFrame:
    """0x4AF: the request is the byte 1; answers are eight characters each, the version begins with "S-V"."""

    text: bytes


@dataclass(frozen=True)
class ArmStatus:
    """0x2A1; bits 0 to 5 of `errors`: joint communication, bits 8 to 13: joint at its limit."""

    control: int
    condition: int
    move: int
    errors: int
    is_moving: bool = False


@dataclass(frozen=True)
class FlangePose:
    """0x2A2 to 0x2A4: part 0 x, y; part 1 z (m), roll (rad); part 2 pitch, yaw (rad); in the base frame."""

    part: int
    values: tuple[float, float]


@dataclass(frozen=True)
class JointFeedback:
    """0x2A5 to 0x2A7: as JointCommand."""

    pair: int
    positions: tuple[float, float]


@dataclass(frozen=True)
class GripperFeedback:
    """0x2A8: opening in m, torque in N m, status byte (GRIPPER_FLAGS, ENABLED)."""

    opening: float
    torque: float
    status: int


@dataclass(frozen=True)
class MotorFast:
    """0x251 to 0x256: rad/s, A, rad. Some firmware leaves the velocity 0."""

    motor: int
    velocity: float
    current: float
    position: float


@dataclass(frozen=True)
class MotorSlow:
    """0x261 to 0x266: V, degrees Celsius, status byte (MOTOR_FLAGS, ENABLED), A."""

    motor: int
    voltage: float
    driver_temperature: int
    motor_temperature: int
    status: int
    current: float


Message = (
    StopCommand | ModeCommand | JointCommand | GripperCommand | MitCommand | EnableCommand | FirmwareFrame
    | ArmStatus | FlangePose | JointFeedback | GripperFeedback | MotorFast | MotorSlow
)  # fmt: skip
