"""The controller as a node over DDS: emergency stop by topic and by service, and the watchdogs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Empty
from std_srvs.srv import Trigger
from threaded_node import ThreadedNode, init

from rise_msgs.msg import ActionChunk, ControlStatus
from rise_msgs.srv import SetControl
from rise_robot.core.chunk import Chunk
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.fault_scene import POSE
from rise_robot.nodes import conversions, qos
from rise_robot.nodes.trajectory_controller import TrajectoryControllerNode

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))


class Bench:
    """A controller with its own threads, and a robot and a policy that stand still at POSE as far as they are fed."""

    def __init__(self) -> None:
        parameters = ("contract:=contract_tiny.yaml", "stop_after_s:=30.0", "setpoint_rate_hz:=200.0")
        init(*(word for parameter in parameters for word in ("-p", parameter)))
        self.controller = TrajectoryControllerNode()
        self.node = rclpy.create_node("robot_and_policy", use_global_arguments=False)
        self.statuses: list[ControlStatus] = []
        self.node.create_subscription(ControlStatus, "control/status", self.statuses.append, qos.LATCHED)
        self._joints = self.node.create_publisher(JointState, "joint_states", qos.SENSOR)
        self._chunks = self.node.create_publisher(ActionChunk, "policy/action_chunk", qos.COMMAND)
        self._cameras = {c.name: self.node.create_publisher(CameraInfo, c.info_topic, 1) for c in CONTRACT.cameras}
        self.silent: set[str] = set()
        self._running = ThreadedNode(self.controller, self.node)

    def spin_until(self, condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
        self._running.until(
            condition, lambda: f"last status: {self.statuses[-1:]}", timeout_s, meanwhile=self._feed, spin_s=0.01
        )

    def wait_for(self, mode: str, reason: str = "") -> None:
        self.statuses.clear()
        self.spin_until(lambda: self.statuses and self.statuses[-1].mode == mode and reason in self.statuses[-1].reason)

    def call(self, service: type, name: str, **fields: Any) -> Any:
        client = self.node.create_client(service, name)
        self.spin_until(client.service_is_ready)
        future = client.call_async(service.Request(**fields))
        self.spin_until(future.done)
        return future.result()

    def close(self) -> None:
        self._running.close()

    def _feed(self) -> None:
        now = self.node.get_clock().now().nanoseconds
        if "joints" not in self.silent:
            self._joints.publish(conversions.joint_state(CONTRACT, now, POSE))
        for camera in CONTRACT.cameras:
            if camera.name not in self.silent:
                self._cameras[camera.name].publish(conversions.camera_info(camera, now, np.eye(3)))
        chunk = Chunk(now, np.tile(POSE, (CONTRACT.chunk_size, 1)))
        self._chunks.publish(conversions.chunk_message(chunk, CONTRACT))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    try:
        bench.wait_for("hold")
        yield bench
    finally:
        bench.close()


def test_a_driver_gets_setpoints_at_its_own_rate(bench: Bench) -> None:
    heard: list[JointState] = []
    bench.node.create_subscription(JointState, "joint_setpoint", heard.append, qos.EVENT)
    bench.spin_until(lambda: len(heard) >= 100)
    gaps = np.diff([conversions.stamp_of(message) for message in heard]) * 1e-9
    assert 0.003 < np.median(gaps) < 0.02, "200 Hz; a busy machine skips some"
    np.testing.assert_allclose(heard[-1].position, POSE, atol=1e-9)


def hand_to_policy(bench: Bench) -> None:
    bench.silent.clear()
    assert bench.call(SetControl, "control/set", mode="policy", reset_estop=True).success
    bench.wait_for("policy")


@pytest.mark.parametrize("stream", ["top", "wrist_right", "joints"])
def test_lost_stream_holds_and_its_return_resumes(bench: Bench, stream: str) -> None:
    hand_to_policy(bench)
    bench.silent.add(stream)
    bench.wait_for("hold", "joint feedback older" if stream == "joints" else f"camera {stream} older than 0.2 s")
    bench.silent.clear()
    bench.wait_for("policy")


def test_emergency_topic_latches(bench: Bench) -> None:
    hand_to_policy(bench)
    button = bench.node.create_publisher(Empty, "control/emergency_stop", 1)
    bench.spin_until(lambda: button.get_subscription_count() > 0)
    button.publish(Empty())
    bench.wait_for("estop", "topic control/emergency_stop")
    answer = bench.call(SetControl, "control/set", mode="policy")
    assert not answer.success and "latched (topic control/emergency_stop)" in answer.message


@pytest.mark.parametrize("by", ["control/emergency_stop", "control/set"])
def test_a_stop_is_said_by_a_controller_that_is_not_active_as_well(bench: Bench, by: str) -> None:
    """A driver that parks hears of it by `control/status` alone."""
    hand_to_policy(bench)
    bench.controller._transition("deactivate")
    bench.statuses.clear()
    answer = bench.call(Trigger, by) if by.endswith("stop") else bench.call(SetControl, by, mode="estop")
    assert answer.success and "latched" in answer.message
    bench.spin_until(lambda: bench.statuses and bench.statuses[-1].mode == "estop")
    assert not bench.call(SetControl, "control/set", mode="policy").success
    bench.controller._transition("activate")
    bench.wait_for("estop")


def test_emergency_service_latches_and_keeps_the_first_reason(bench: Bench) -> None:
    hand_to_policy(bench)
    for _ in range(2):
        answer = bench.call(Trigger, "control/emergency_stop")
        assert answer.success and "latched (service control/emergency_stop)" in answer.message
    bench.wait_for("estop")
    hand_to_policy(bench)
