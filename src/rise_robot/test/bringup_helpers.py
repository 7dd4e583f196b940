"""A bringup as a user has it, real processes over DDS, and somebody who listens."""

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
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import String

from rise_msgs.msg import ControlStatus, EpisodeStatus
from rise_robot.core.contract import Contract, config_path
from rise_robot.nodes import qos
from rise_robot.nodes.conversions import stamp_of

TINY = "contract_tiny.yaml"
CONTRACT = Contract.load(config_path(TINY))


class Bringup:
    """A running bringup in a DDS domain of its own."""

    def __init__(self, *options: str, stdin: int | None = None) -> None:
        self.domain = random.SystemRandom().randint(10, 100)
        environment = os.environ | {"ROS_DOMAIN_ID": str(self.domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rise_robot.bringup", "--contract", TINY, "--bricks", "1", *options],
            env=environment, start_new_session=True, stdin=stdin, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
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
        lines = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        modules = {line.split(" -m rise_robot.")[1].split()[0]: line for line in lines if " -m rise_robot." in line}
        return {module.removeprefix("nodes."): int(line.split()[0]) for module, line in modules.items()}

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

    def newest(self, topic: str) -> Any:
        """The last message, or the first one where discovery has not come to it yet."""
        self.spin_until(lambda: self.heard[topic])
        return self.heard[topic][-1]

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
