"""Lets a simulated robot wait for the policy: one that runs ahead of it would show nothing about the policy."""

from __future__ import annotations

import threading

from rclpy.node import Node

from rise_msgs.msg import ActionChunk
from rise_robot.core.contract import Contract
from rise_robot.nodes import conversions, qos


class ChunkWatch:
    """Knows the newest chunk's observation, and holds simulated time still until it is new enough.

    A policy that is not there, or falls silent, is waited for once per chunk and then no longer: time goes on at about
    real time, and the controller's own rules (hold, then stop) apply.

    Args:
        node: that executes commands.
        contract: its control rate.
        max_periods: control periods between the present and the newest answered observation; 0: never wait.
        patience_s: wall time after which a policy counts as silent.

    Attributes:
        missed: waits that ended without a chunk.
    """

    def __init__(self, node: Node, contract: Contract, max_periods: int, patience_s: float = 2.0) -> None:
        self._max_ns = round(max_periods * 1e9 * contract.control_period_s)
        self._period_s, self._patience_s = contract.control_period_s, patience_s
        self._arrived = threading.Condition()
        self._newest_ns, self._silent, self._begin_ns = 0, True, 0
        self.missed = 0
        node.create_subscription(ActionChunk, "policy/action_chunk", self._on_chunk, qos.COMMAND)

    def begin(self, stamp_ns: int) -> None:
        """An episode begins: its first observation has to be answered before time goes on."""
        self._begin_ns = stamp_ns

    def wait(self, stamp_ns: int) -> None:
        """Return when the newest chunk is new enough for `stamp_ns`, or the policy counts as silent."""
        if not self._max_ns:
            return
        needed = max(stamp_ns - self._max_ns, self._begin_ns)
        with self._arrived:
            patience = self._period_s if self._silent else self._patience_s
            if not self._arrived.wait_for(lambda: self._newest_ns >= needed, patience) and not self._silent:
                self._silent, self.missed = True, self.missed + 1

    def _on_chunk(self, message: ActionChunk) -> None:
        with self._arrived:
            self._newest_ns, self._silent = conversions.stamp_of(message), False
            self._arrived.notify_all()
