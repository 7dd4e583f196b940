"""`python -m rise_robot.bringup` as a user has it: real processes over DDS."""

from __future__ import annotations

import itertools
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import String

from rise_msgs.msg import ControlStatus, EpisodeStatus
from rise_msgs.srv import EndEpisode, SetControl, StartEpisode
from rise_robot.core.contract import Contract, config_path
from rise_robot.nodes import qos
from rise_robot.nodes.conversions import stamp_of

TINY = "contract_tiny.yaml"
CONTRACT = Contract.load(config_path(TINY))
WINDOW_S = 4.0


class Bringup:
    """A running bringup in a DDS domain of its own."""

    def __init__(self, *options: str) -> None:
        self.domain = random.SystemRandom().randint(10, 100)
        environment = os.environ | {"ROS_DOMAIN_ID": str(self.domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rise_robot.bringup", "--contract", TINY, "--bricks", "1", *options],
            env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.printed: list[str] = []

    def wait_for(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line)
            if text in line:
                return
        raise AssertionError(f"never printed {text!r}, but:\n{''.join(self.printed)}")

    def children(self) -> dict[str, int]:
        """Process id of each node."""
        words = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        return {
            line.split("rise_robot.nodes.")[1].split()[0]: int(line.split()[0]) for line in words if ".nodes." in line
        }

    def end(self, number: int = signal.SIGINT) -> int:
        """Signal bringup as a terminal does; its exit code."""
        os.killpg(self.process.pid, number)
        return self.wait()

    def wait(self) -> int:
        self.printed += self.process.communicate(timeout=30)[0].splitlines(keepends=True)
        return self.process.returncode


class Listener:
    """Keeps every message with its time of arrival, and calls services."""

    def __init__(self, domain: int) -> None:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("listener", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = defaultdict(list)
        for topic, kind, profile in self._topics():
            self.node.create_subscription(kind, topic, self.heard[topic].append, profile)

    @staticmethod
    def _topics() -> list[tuple[str, type, Any]]:
        images = [
            each
            for camera in CONTRACT.cameras
            for each in (
                (camera.topic, Image, qos.SENSOR),
                (camera.compressed_topic, CompressedImage, qos.SENSOR),
                (camera.info_topic, CameraInfo, qos.SENSOR),
            )
        ]
        return [
            ("joint_states", JointState, qos.SENSOR),
            ("joint_command", JointState, qos.COMMAND),
            ("control/status", ControlStatus, qos.LATCHED),
            ("episode/status", EpisodeStatus, qos.LATCHED),
            ("contract", String, qos.LATCHED),
            ("/diagnostics", DiagnosticArray, qos.EVENT),
            *images,
        ]

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)

    def spin_until(self, condition: Any, timeout_s: float = 20.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, (
                f"not within {timeout_s} s; heard { {k: len(v) for k, v in self.heard.items()} }"
            )
            self.executor.spin_once(timeout_sec=0.05)

    def call(self, service: type, name: str, **fields: Any) -> Any:
        client = self.node.create_client(service, name)
        assert client.wait_for_service(timeout_sec=10.0)
        future = client.call_async(service.Request(**fields))
        self.spin_until(future.done)
        return future.result()

    def rate(self, topic: str) -> float:
        """Inverse of the median gap between stamps; a busy machine skips periods, which diagnostics count."""
        stamps = [stamp_of(message) for message in self.heard[topic]]
        assert len(stamps) > 1, f"{topic} was not heard twice"
        return 1e9 / statistics.median(later - earlier for earlier, later in itertools.pairwise(stamps))

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(processes: list[int], timeout_s: float = 8.0) -> None:
    end = time.monotonic() + timeout_s
    while any(map(is_alive, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, processes)), "a node was left behind"


@pytest.fixture(scope="module")
def robot() -> Iterator[tuple[Bringup, Listener]]:
    """Bringup with the expert, and somebody who has listened for WINDOW_S."""
    bringup = Bringup("--hardware", "sim", "--task", "brick_sorting")
    listener = Listener(bringup.domain)
    try:
        bringup.wait_for("demo: start")
        listener.spin_until(lambda: len(listener.heard["camera/top/image_raw"]) > 1)
        for messages in listener.heard.values():
            del messages[:-1]
        listener.spin(WINDOW_S)
        yield bringup, listener
    finally:
        listener.close()
        if bringup.process.poll() is None:
            bringup.end(signal.SIGKILL)


def test_topics_come_at_their_rates(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    for topic in ("joint_states", "joint_command", "control/status"):
        assert listener.rate(topic) == pytest.approx(CONTRACT.control_rate_hz, rel=0.1), topic
    for camera in CONTRACT.cameras:
        for topic in (camera.topic, camera.compressed_topic, camera.info_topic):
            assert listener.rate(topic) == pytest.approx(camera.rate_hz, rel=0.1), topic
    status = [array.status[0].name for array in listener.heard["/diagnostics"]]
    for node in ("simulated_robot", "trajectory_controller"):
        assert 2 <= status.count(node) <= WINDOW_S + 2, "about one per second"


def test_messages_are_those_of_the_contract(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    assert Contract.from_yaml(listener.heard["contract"][-1].data) == CONTRACT
    for topic in ("joint_states", "joint_command"):
        assert tuple(listener.heard[topic][-1].name) == CONTRACT.joint_names
    picture = listener.heard["camera/top/image_raw"][-1]
    assert (picture.height, picture.width, picture.encoding) == (96, 128, "rgb8")
    assert picture.header.frame_id == "top_optical_frame"
    pictures = {stamp_of(message) for message in listener.heard["camera/top/image_raw"]}
    joints = {stamp_of(message) for message in listener.heard["joint_states"]}
    assert len(pictures & joints) >= 0.7 * len(pictures), "one instant, one stamp (best effort may lose some)"


def test_episode_runs_and_a_second_one_is_refused(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    listener.spin_until(lambda: listener.heard["episode/status"][-1].state in ("started", "running"))
    status = listener.heard["episode/status"][-1]
    assert (status.task, status.kind) == ("brick_sorting", "demonstration") and status.instruction
    answer = listener.call(StartEpisode, "episode/start", kind="rollout", seed=1)
    if answer.success:  # the first one had just ended
        answer = listener.call(StartEpisode, "episode/start", kind="rollout", seed=1)
    assert not answer.success and "end it first" in answer.message


def test_emergency_stop_latches_and_the_robot_stays(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    assert listener.call(SetControl, "control/set", mode="estop", reason="test").success
    listener.spin_until(lambda: listener.heard["control/status"][-1].mode == "estop")
    listener.spin(0.5)
    positions = [message.position for message in listener.heard["joint_command"][-3:]]
    assert positions[0] == positions[1] == positions[2]
    refused = listener.call(SetControl, "control/set", mode="demo")
    assert not refused.success and "latched" in refused.message
    assert not listener.call(SetControl, "control/set", mode="autopilot").success
    assert listener.call(SetControl, "control/set", mode="demo", reset_estop=True).mode == "demo"


def test_episode_is_ended_and_started_by_service(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    running = listener.heard["episode/status"][-1]
    if running.state in ("started", "running"):
        assert listener.call(EndEpisode, "episode/end", outcome="failure").outcome == "failure"
    answer = listener.call(StartEpisode, "episode/start", kind="demonstration", seed=41)
    assert answer.success, answer.message
    listener.spin_until(lambda: listener.heard["episode/status"][-1].episode_id == answer.episode_id)
    assert listener.heard["episode/status"][-1].seed == 41


def test_ctrl_c_ends_all_with_code_0(robot: tuple[Bringup, Listener]) -> None:
    """Ctrl-C twice, as impatient people do; the last command is one to stay, and nothing is left behind."""
    bringup, listener = robot
    children = bringup.children()
    assert set(children) == {"simulated_robot", "trajectory_controller"}
    os.killpg(bringup.process.pid, signal.SIGINT)
    begin = time.monotonic()
    assert bringup.end() == 0
    assert time.monotonic() - begin < 10
    wait_until_gone(list(children.values()))
    listener.spin(0.3)
    assert listener.heard["control/status"][-1].mode == "hold"
    assert "Traceback" not in "".join(bringup.printed)


def test_a_node_that_dies_ends_all_with_another_code() -> None:
    bringup = Bringup("--commander", "none")
    try:
        bringup.wait_for("hold: ")
        children = bringup.children()
        os.kill(children["trajectory_controller"], signal.SIGKILL)
        assert bringup.wait() == 1
        wait_until_gone(list(children.values()))
    finally:  # what is left running would talk to later tests
        if bringup.process.poll() is None:
            os.killpg(bringup.process.pid, signal.SIGKILL)
    assert any("trajectory_controller ended with exit code -9" in line for line in bringup.printed)


def test_nodes_do_not_outlive_a_killed_bringup() -> None:
    bringup = Bringup("--commander", "none")
    bringup.wait_for("hold: ")
    children = bringup.children()
    assert len(children) == 2
    bringup.end(signal.SIGKILL)
    wait_until_gone(list(children.values()))


def test_parameter_with_a_typing_error_is_an_error() -> None:
    command = [sys.executable, "-m", "rise_robot.nodes.trajectory_controller", "--ros-args", "-p", "stop_after:=2.0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "unknown parameters ['stop_after']" in result.stderr and "stop_after_s" in result.stderr
