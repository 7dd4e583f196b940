"""A node of ours in its own thread, and the node of a test beside it, in this process."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor

from rise_robot.stop_signals import StopRequest

_domains = itertools.count(os.getpid())


def init(*words: str) -> None:
    """`rclpy.init` with ROS arguments, in a domain of its own, where nobody of the test before is left.

    Discovery forgets one endpoint at a time, and a service of which half is forgotten counts as absent.
    """
    rclpy.init(args=["--ros-args", *words] if words else None, domain_id=1 + next(_domains) % 101)


class ThreadedNode:
    """Runs `subject` in a thread and spins its node and the test's; `init` comes before, `close` ends rclpy.

    Args:
        subject: has `node`, `run(stop)` and `close()`.
        beside: the test's own node.
    """

    def __init__(self, subject: Any, beside: rclpy.node.Node) -> None:
        self._subject, self._stop = subject, StopRequest()
        self._executor = SingleThreadedExecutor()
        self._nodes = (subject.node, beside)
        for node in self._nodes:
            self._executor.add_node(node)
        self._loop = threading.Thread(target=subject.run, args=(self._stop,))
        self._loop.start()

    def spin_once(self, timeout_s: float) -> None:
        self._executor.spin_once(timeout_sec=timeout_s)

    def until(
        self,
        condition: Callable[[], Any],
        seen: Callable[[], object],
        timeout_s: float,
        *,
        meanwhile: Callable[[], None] = lambda: None,
        spin_s: float = 0.02,
    ) -> None:
        """Spin until `condition`; after `timeout_s` fail with what was `seen`. `meanwhile` runs before each spin."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, seen()
            meanwhile()
            self.spin_once(spin_s)

    def close(self) -> None:
        """End the thread before its node, and rclpy last."""
        self._stop.set()
        self._loop.join()
        self._subject.close()
        self._executor.shutdown()
        for node in self._nodes:
            node.destroy_node()
        rclpy.shutdown()
