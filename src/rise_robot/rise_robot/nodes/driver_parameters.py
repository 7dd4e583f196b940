"""The parameters of the Piper driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rclpy.node import Node

from rise_robot.core.command_guard import GuardConfig
from rise_robot.core.errors import HardwareError
from rise_robot.hardware.piper_arm import ArmSettings
from rise_robot.nodes.runtime import declare


@dataclass(frozen=True)
class DriverParameters:
    """What the parameter file piper_driver.yaml says; its comments explain."""

    autostart: bool
    read_only: bool
    realtime_priority: int
    interface: str
    channels: dict[str, str]
    connect_timeout_s: float
    firmware_velocity: bool
    warm_c: int
    park_on_shutdown: bool
    park_pose: np.ndarray
    park_velocity: float
    arm_settings: ArmSettings
    guard: GuardConfig


def declare_all(node: Node, arms: Sequence[str]) -> DriverParameters:
    """Declare every parameter, one channel per arm, and read them. Raises HardwareError for a bad park_pose."""
    return DriverParameters(
        autostart=declare(node, "autostart", True, "Configure and activate at the start."),
        read_only=declare(node, "read_only", False, "Never enable the motors: leader arms, which a person moves."),
        realtime_priority=declare(
            node, "realtime_priority", 45, "SCHED_FIFO priority of the driver; 0: do not ask.", low=0, high=99
        ),
        interface=declare(node, "interface", "socketcan", "python-can's interface: socketcan, udp_multicast."),
        channels={arm: declare(node, f"{arm}_channel", f"can_{arm}", f"CAN channel of the {arm} arm.") for arm in arms},
        connect_timeout_s=declare(
            node, "connect_timeout_s", 10.0, "s until every arm must have answered.", low=0.1, high=120.0
        ),
        firmware_velocity=declare(
            node, "firmware_velocity", False, "Take the motors' own velocities where they are not 0, not estimates."
        ),
        warm_c=declare(node, "warm_c", 70, "Degrees Celsius at which a motor is reported.", low=20, high=120),
        park_on_shutdown=declare(node, "park_on_shutdown", False, "Park the arms when the node ends."),
        park_pose=_pose(declare(node, "park_pose", "0 0 0 0 0 0", "rad; where an arm rests without power.")),
        park_velocity=declare(node, "park_velocity", 0.3, "rad/s while parking.", low=0.02, high=1.0),
        arm_settings=_arm_settings(node),
        guard=_guard(node),
    )


def _arm_settings(node: Node) -> ArmSettings:
    default = ArmSettings()
    return ArmSettings(
        max_age_s=declare(
            node,
            "feedback_max_age_s",
            default.max_age_s,
            "s; no command is executed on older feedback.",
            low=0.01,
            high=1.0,
        ),
        lost_s=declare(
            node, "feedback_lost_s", default.lost_s, "s; feedback missing this long is a fault.", low=0.05, high=5.0
        ),
        speed_percent=declare(
            node, "speed_percent", default.speed_percent, "Of the firmware's velocity limit.", low=1, high=100
        ),
        gripper_torque=declare(node, "gripper_torque", default.gripper_torque, "Grippers, N m.", low=0.0, high=5.0),
        enable_timeout_s=declare(
            node,
            "enable_timeout_s",
            default.enable_timeout_s,
            "s for enabling.",
            low=0.5,
            high=60.0,
        ),
    )


def _guard(node: Node) -> GuardConfig:
    default = GuardConfig()
    return GuardConfig(
        max_age_s=declare(node, "command_max_age_s", default.max_age_s, "s until stale.", low=0.01, high=1.0),
        max_ahead_s=default.max_ahead_s,
        timeout_s=declare(
            node, "command_timeout_s", default.timeout_s, "s without a command until the next one has to engage anew.",
            low=0.05, high=2.0,
        ),
        engage_tolerance=declare(
            node, "engage_tolerance", default.engage_tolerance, "rad between joints and a command that engages.",
            low=0.0, high=1.0,
        ),
        engage_velocity=declare(
            node, "engage_velocity", default.engage_velocity, "rad/s at which that distance is covered.",
            low=0.02, high=3.0,
        ),
        max_lag=declare(
            node, "max_lag", default.max_lag, "rad between measured joints and any command.", low=0.05, high=3.0
        ),
        pace_tolerance=declare(
            node, "pace_tolerance", default.pace_tolerance, "Factor on max_velocity.", low=1.0, high=3.0
        ),
    )  # fmt: skip


def _pose(text: str) -> np.ndarray:
    try:
        pose = np.array([float(word) for word in text.split()])
    except ValueError as error:
        raise HardwareError(f"park_pose must be six numbers, got {text!r}") from error
    if pose.shape != (6,) or not np.isfinite(pose).all():
        raise HardwareError(f"park_pose must be six finite numbers, got {text!r}")
    return pose
