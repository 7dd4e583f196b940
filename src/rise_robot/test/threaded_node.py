"""A node of ours in its own thread, and the node of a test beside it, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor


class ThreadedNode:
    """Runs `subject` in a thread and spins its node and the test's; rclpy is initialised before and ended by `close`.

    Args:
        subject: has `node`, `run(stop)` and `close()`.
        beside: the test's own node.
    """

    def __init__(self, subject: Any, beside: rclpy.node.Node) -> None:
        self._subject, self._stop = subject, threading.Event()
        self._executor = SingleThreadedExecutor()
        for node in (subject.node, beside):
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
        rclpy.shutdown()
