"""What an emulated Piper reports about itself in one period."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rise_robot.hardware.piper_messages import (
    ENABLED,
    JOINTS,
    PAIRS,
    ArmStatus,
    FlangePose,
    GripperFeedback,
    JointFeedback,
    Message,
    MotorFast,
    MotorSlow,
)
from rise_robot.sim.kinematics import PiperKinematics

if TYPE_CHECKING:
    from rise_robot.hardware.emulated_piper import EmulatedPiper

HOT_C, WARM_C = 92, 31
VOLTAGE = 24.0


def feedback(arm: EmulatedPiper, slow: bool) -> list[Message]:
    """Status, flange pose, joints, gripper and motors; temperatures and voltages only when `slow`."""
    plant = arm.plant
    moving = bool(np.abs(plant.velocities).max() > 1e-3)
    messages: list[Message] = [ArmStatus(arm.control, arm.condition, arm.move, _errors(arm), moving)]
    messages += _pose(tuple(plant.positions.tolist()), arm.convention)
    messages += [JointFeedback(pair, _pair(plant.positions, pair)) for pair in range(PAIRS)]
    messages.append(GripperFeedback(plant.opening, 0.0, ENABLED * arm.gripper_enabled))
    velocities = plant.velocities if arm.reports_velocity else np.zeros(JOINTS)
    messages += [MotorFast(i + 1, float(velocities[i]), 0.0, float(plant.positions[i])) for i in range(JOINTS)]
    return messages + [_slow(arm, motor) for motor in range(1, JOINTS + 1)] if slow else messages


def _pair(values: np.ndarray, pair: int) -> tuple[float, float]:
    return float(values[2 * pair]), float(values[2 * pair + 1])


@lru_cache(maxsize=8)
def _pose(positions: tuple[float, ...], convention: str) -> list[Message]:
    """Flange in the base frame: position, and roll, pitch, yaw about the fixed axes; arms rest most of the time."""
    frame = PiperKinematics(convention).link_transforms(np.array(positions))[5]
    rotation = frame[:3, :3]
    angles = (
        np.arctan2(rotation[2, 1], rotation[2, 2]),
        np.arctan2(-rotation[2, 0], np.hypot(rotation[0, 0], rotation[1, 0])),
        np.arctan2(rotation[1, 0], rotation[0, 0]),
    )
    values = np.array([*frame[:3, 3], *angles])
    return [FlangePose(part, _pair(values, part)) for part in range(3)]


def _errors(arm: EmulatedPiper) -> int:
    return sum(1 << (motor - 1) for motor in arm.faults.dead)


def _slow(arm: EmulatedPiper, motor: int) -> MotorSlow:
    hot = motor in arm.faults.overheated
    stalled = arm.plant.stuck[motor - 1] and abs(arm.targets[motor - 1] - arm.plant.positions[motor - 1]) > 0.1
    status = ENABLED * bool(arm.enabled[motor - 1]) | hot << 1 | bool(stalled) << 7
    return MotorSlow(motor, VOLTAGE, WARM_C, HOT_C if hot else WARM_C, status, 0.0)
