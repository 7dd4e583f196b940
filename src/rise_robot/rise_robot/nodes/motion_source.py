"""Where a person's targets come from: an input device that jogs, or leader arms on a topic."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState

from rise_robot.core.cell import Cell
from rise_robot.core.contract import Contract
from rise_robot.core.errors import CommandError, TeleoperationError
from rise_robot.core.feedback import FeedbackMonitor
from rise_robot.core.stream_watch import staleness
from rise_robot.nodes import conversions, qos
from rise_robot.teleop.bindings import Bindings
from rise_robot.teleop.jog import CartesianJog, JogConfig
from rise_robot.teleop.leader import LeaderFollower

JUMP = 0.2
"""rad beyond the contract's velocity between two messages of the leaders; more cannot be a hand's motion."""


class MotionSource(Protocol):
    """All raise TeleoperationError when the source cannot be used now."""

    def check(self) -> None:
        """May a person take over?"""

    def anchor(self, command: np.ndarray, now_ns: int) -> None:
        """Begin at a command (A,)."""

    def step(self, command: np.ndarray, now_ns: int) -> np.ndarray:
        """(A,) the target of the next period, while `command` (A,) was sent last."""

    def switch_arm(self) -> str:
        """Move another arm; what moves now."""

    def diagnostics(self) -> dict[str, object]: ...


class JogSource:
    """The motions of an input device through inverse kinematics."""

    def __init__(self, contract: Contract, cell: Cell, config: JogConfig, bindings: Bindings) -> None:
        self._jog, self._bindings = CartesianJog(contract, cell, config), bindings

    def check(self) -> None:
        """The device has just asked for it, so it is there."""

    def anchor(self, command: np.ndarray, now_ns: int) -> None:
        self._jog.anchor(command)

    def step(self, command: np.ndarray, now_ns: int) -> np.ndarray:
        return self._jog.step(self._bindings.motion(), command)

    def switch_arm(self) -> str:
        return f"the {self._jog.switch_arm()} arm"

    def diagnostics(self) -> dict[str, object]:
        return {"moving": self._jog.arm}


class LeaderSource:
    """Leader arms whose joints arrive on leader/joint_states, under the contract's joint names."""

    def __init__(self, node: Node, contract: Contract, align_speed: float) -> None:
        self._node, self._contract = node, contract
        self._follower, self._leader = LeaderFollower(contract, align_speed), FeedbackMonitor(contract, JUMP)
        self._jumped = ""
        node.create_subscription(JointState, "leader/joint_states", self._on_joints, qos.SENSOR)

    def check(self) -> None:
        self._fresh(self._node.get_clock().now().nanoseconds)

    def anchor(self, command: np.ndarray, now_ns: int) -> None:
        self._follower.anchor(self._fresh(now_ns), command)

    def step(self, command: np.ndarray, now_ns: int) -> np.ndarray:
        return self._follower.step(self._fresh(now_ns))

    def switch_arm(self) -> str:
        return "both arms: leaders need no switching"

    def diagnostics(self) -> dict[str, object]:
        return {"misalignment": self._follower.misalignment}

    def _fresh(self, now_ns: int) -> np.ndarray:
        jumped, self._jumped = self._jumped, ""
        if jumped:
            raise TeleoperationError(f"leader arms jumped: {jumped}")
        if fault := staleness("leader/joint_states", self._leader.age_s(now_ns), self._contract.joint_state_max_age_s):
            raise TeleoperationError(fault)
        return self._leader.positions

    def _on_joints(self, message: JointState) -> None:
        try:
            positions = conversions.positions_of(message, self._contract)
            self._jumped = self._leader.feed(conversions.stamp_of(message), positions) or self._jumped
        except CommandError as error:
            self._node.get_logger().warning(f"leader arms: {error}", throttle_duration_sec=1.0)
