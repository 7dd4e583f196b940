"""Teleoperation when its inputs fail: an input device or leader arms that fall silent leave the robot on hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from sensor_msgs.msg import JointState, Joy
from threaded_node import ThreadedNode, init
from trajectory_msgs.msg import JointTrajectory

from rise_msgs.msg import ControlStatus
from rise_msgs.srv import SetControl
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import TeleoperationError
from rise_robot.core.fault_scene import POSE
from rise_robot.nodes import conversions, qos
from rise_robot.nodes.teleoperation import TeleoperationNode

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
TAKE_OVER = [0] * 10 + [1]


class Desk:
    """Teleoperation with its own thread, and a controller that grants everything and stays at POSE."""

    def __init__(self, **parameters: str) -> None:
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        init("-p", "contract:=contract_tiny.yaml", "-p", "device:=joy", *words)
        self.node = rclpy.create_node("desk", use_global_arguments=False)
        self.mode, self.asked = "policy", list[str]()
        self.targets: list[np.ndarray] = []
        self.leader: np.ndarray | None = None
        self.buttons: list[int] | None = [0] * 11
        self._status = self.node.create_publisher(ControlStatus, "control/status", qos.LATCHED)
        self._command = self.node.create_publisher(JointState, "joint_command", qos.COMMAND)
        self._leader = self.node.create_publisher(JointState, "leader/joint_states", qos.SENSOR)
        self._joy = self.node.create_publisher(Joy, "joy", qos.EVENT)
        self.node.create_service(SetControl, "control/set", self._on_set)
        self.node.create_subscription(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", self._on_target, qos.COMMAND
        )
        self.node.create_timer(0.02, self._feed)
        self.teleoperation = TeleoperationNode()
        self._running = ThreadedNode(self.teleoperation, self.node)

    def until(self, condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
        self._running.until(condition, lambda: f"asked for {self.asked}", timeout_s)

    def spin(self, periods: int) -> None:
        for _ in range(periods):
            self._running.spin_once(0.05)

    def close(self) -> None:
        self._running.close()

    def _feed(self) -> None:
        now = self.node.get_clock().now().nanoseconds
        self._status.publish(ControlStatus(header=conversions.to_header(now), mode=self.mode))
        self._command.publish(conversions.joint_state(CONTRACT, now, POSE))
        if self.buttons is not None:
            self._joy.publish(Joy(axes=[0.0] * 4, buttons=self.buttons))
        if self.leader is not None:
            self._leader.publish(conversions.joint_state(CONTRACT, now, self.leader))

    def _on_set(self, request: SetControl.Request, response: SetControl.Response) -> SetControl.Response:
        self.asked.append(request.mode)
        self.mode, response.success, response.mode = request.mode, True, request.mode
        return response

    def _on_target(self, message: JointTrajectory) -> None:
        self.targets.append(np.array(message.points[0].positions))


@contextmanager
def desk(**parameters: str) -> Iterator[Desk]:
    running = Desk(**parameters)
    try:
        running.until(lambda: all(map(running.node.count_subscribers, ("joy", "control/status", "joint_command"))))
        running.until(running.teleoperation._requests._set.service_is_ready)
        running.spin(20)
        yield running
    finally:
        running.close()


def test_a_gamepad_that_falls_silent_leaves_the_robot_on_hold() -> None:
    with desk() as running:
        running.buttons = TAKE_OVER
        running.until(lambda: len(running.targets) > 5)
        assert running.asked == ["human"]
        np.testing.assert_allclose(running.targets, np.tile(POSE, (len(running.targets), 1)), atol=1e-9)
        running.buttons = None
        running.until(lambda: running.asked == ["human", "hold"])
        running.spin(5)
        count = len(running.targets)
        running.spin(20)
        assert len(running.targets) == count, "no target from nobody"


def test_a_policy_is_held_when_the_gamepad_with_the_emergency_stop_is_lost() -> None:
    with desk() as running:
        running.buttons = None
        running.until(lambda: running.asked == ["hold"])
        running.buttons = [0] * 11
        running.until(lambda: running.teleoperation._lost == "")
        running.spin(20)
        assert running.asked == ["hold"], "once; nobody gives control back by itself"


def test_leaders_are_followed_without_a_jump_and_missed_at_once() -> None:
    with desk(motion="leader") as running:
        running.buttons = TAKE_OVER
        running.spin(20)
        assert running.asked == [], "no take-over without leaders"
        running.buttons, running.leader = [0] * 11, POSE + 0.1
        running.spin(20)
        running.buttons = TAKE_OVER
        running.until(lambda: len(running.targets) > 5)
        assert np.abs(running.targets[0] - POSE).max() < 0.02, "from where the followers stand"
        running.until(lambda: np.abs(running.targets[-1][:6] - POSE[:6] - 0.1).max() < 0.02)
        running.leader = None
        running.until(lambda: running.asked == ["human", "hold"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"device": "wheel"}, "no bindings of 'wheel'"),
        ({"device": "gamepad"}, "gamepad with a path"),
        ({"motion": "mind"}, "unknown motion 'mind'; known are jog, leader"),
        ({"person": "policy"}, "person must be one of human, demo, got 'policy'"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(parameters: dict[str, str], message: str) -> None:
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    init("-p", "device:=joy", *words)
    try:
        with pytest.raises(TeleoperationError, match=message):
            TeleoperationNode()
    finally:
        rclpy.shutdown()
