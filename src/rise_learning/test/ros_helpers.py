"""A robot and its policy as a user starts them, in a DDS domain of their own, and a listener beside them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor

from rise_msgs.srv import SetControl
from rise_robot.core.contract import Contract, config_path

TINY = Contract.load(config_path("contract_tiny.yaml"))


class Domain:
    """A DDS domain of its own with the processes that are started in it, and a listener."""

    def __init__(self) -> None:
        self.domain = random.SystemRandom().randint(10, 100)
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        self._processes: list[subprocess.Popen[str]] = []
        self.context = Context()
        rclpy.init(context=self.context, domain_id=self.domain)
        self.node = rclpy.create_node("listener", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = defaultdict(list)

    def start(self, module: str, *words: str) -> subprocess.Popen[str]:
        """`python -m module words`; its output is kept."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"ROS_DOMAIN_ID": str(self.domain)}, start_new_session=True,
        )  # fmt: skip
        self._processes.append(process)
        return process

    def listen(self, kind: type, topic: str, profile: Any) -> None:
        self.node.create_subscription(kind, topic, self.heard[topic].append, profile)

    def spin_until(self, condition: Callable[[], Any], timeout_s: float = 150.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            counts = {topic: len(messages) for topic, messages in self.heard.items()}
            assert time.monotonic() < end, f"not within {timeout_s} s; heard {counts}"
            self.executor.spin_once(timeout_sec=0.05)

    def newest(self, topic: str) -> Any:
        """The last message, or the first one where discovery has not come to it yet."""
        self.spin_until(lambda: self.heard[topic])
        return self.heard[topic][-1]

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdout and not process.stdout.closed:
                print(process.stdout.read())  # pytest shows it where a test fails
        self.executor.shutdown()
        rclpy.try_shutdown(context=self.context)


class Deployment(Domain):
    """Bringup with a policy and one brick, further processes in its domain, and a listener."""

    def __init__(self, policy: Path, *options: str) -> None:
        super().__init__()
        words = ("--contract", "contract_tiny.yaml", "--bricks", "1", "--policy", str(policy), *options)
        self.process = self.start("rise_robot.bringup", *words)

    def take_control(self, mode: str) -> None:
        """Ask the controller for `mode`; on a busy machine authority may have been withdrawn before."""
        client = self.node.create_client(SetControl, "control/set")
        assert client.wait_for_service(timeout_sec=10.0)
        future = client.call_async(SetControl.Request(mode=mode))
        self.spin_until(future.done)
        assert future.result().success

    def process_of(self, module: str) -> int:
        """Process id of a node that bringup started."""
        lines = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return next(int(line.split()[0]) for line in lines if module in line)

    def end(self) -> tuple[int, str]:
        """Ctrl-C; bringup's exit code and what it printed."""
        os.killpg(self.process.pid, signal.SIGINT)
        printed, _ = self.process.communicate(timeout=40)
        return self.process.returncode, printed


def json_line(printed: str) -> dict[str, Any]:
    """The one line of JSON in what bringup printed."""
    (line,) = [line for line in printed.splitlines() if line.startswith("[evaluator] {")]
    return json.loads(line.partition(" ")[2])
