"""The parameters of the trajectory controller."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node

from rise_robot.core.cell import Cell
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.interpolation import CommandInterpolator
from rise_robot.core.supervisor import Mode
from rise_robot.core.trajectory_controller import ControllerConfig
from rise_robot.nodes.runtime import declare

SETPOINT_SLACK = 0.25
"""Periods by which a tick may be late before the setpoints of a driver show it."""


@dataclass(frozen=True)
class ControllerParameters:
    """What the parameter file trajectory_controller.yaml says; its comments explain."""

    autostart: bool
    realtime_priority: int
    phase: float
    setpoint_rate_hz: float
    initial: Mode
    config: ControllerConfig
    guard: ClearanceGuard | None


def interpolator(contract: Contract) -> CommandInterpolator:
    """Of the setpoints."""
    return CommandInterpolator(contract.control_period_s, SETPOINT_SLACK)


def declare_all(node: Node, contract: Contract) -> ControllerParameters:
    """Declare every parameter and read them."""
    autostart = declare(node, "autostart", True, "Configure and activate at the start.")
    priority = declare(node, "realtime_priority", 50, "SCHED_FIFO priority of the loop; 0: do not ask.", low=0, high=99)
    phase = declare(
        node, "phase", 0.4,
        "Ticks come this part of a period after whole multiples of it on the wall clock.", low=0.0, high=1.0,
    )  # fmt: skip
    setpoint_hz = declare(node, "setpoint_rate_hz", 0.0, "Rate of joint_setpoint, Hz; 0: none.", low=0.0, high=500.0)
    initial = Mode(declare(node, "initial_mode", "hold", "Who has authority at the start: hold, demo, policy."))
    return ControllerParameters(
        autostart=autostart,
        realtime_priority=priority,
        phase=phase,
        setpoint_rate_hz=setpoint_hz,
        initial=initial,
        config=_config(node, interpolator(contract).trails_s if setpoint_hz else 0.0),
        guard=_guard(node, contract),
    )


def _config(node: Node, following_delay_s: float) -> ControllerConfig:
    default = ControllerConfig()
    return ControllerConfig(
        stop_after_s=declare(
            node, "stop_after_s", default.stop_after_s,
            "s without input until authority is withdrawn (controlled stop).", low=0.0, high=60.0,
        ),
        following_tolerance=declare(
            node, "following_tolerance", default.following_tolerance,
            "rad between measured and commanded joints that still counts as following.", low=0.01, high=6.0,
        ),
        following_periods=declare(
            node, "following_periods", default.following_periods,
            "Control periods outside following_tolerance until it counts.", low=1, high=300,
        ),
        jump_tolerance=declare(
            node, "jump_tolerance", default.jump_tolerance,
            "rad beyond max_velocity between two joint states; more is a jump.", low=0.01, high=6.0,
        ),
        resume_after_jump=declare(
            node, "resume_after_jump", default.resume_after_jump,
            "Keep authority after a feedback jump (a simulated robot that is reset). Never on a real robot.",
        ),
        following_delay_s=following_delay_s,
        watch_cameras=declare(
            node, "watch_cameras", True, "A policy commands only while every camera delivers."
        ),
        blend_steps=declare(
            node, "blend_steps", default.blend_steps,
            "Control steps after which a new chunk has replaced the plan; 0: where their overlap ends.",
            low=0, high=1000,
        ),
    )  # fmt: skip


def _guard(node: Node, contract: Contract) -> ClearanceGuard | None:
    text = declare(node, "cell", "cell.yaml", "Workspace and arm clearance: a path, or a file name; empty: no guard.")
    if not text:
        node.get_logger().warning("no cell was given: the arms may leave the workspace and touch each other")
        return None
    return ClearanceGuard(contract, Cell.load(text if Path(text).is_file() else config_path(Path(text).name)))
