"""Between `joint_command` and a simulated robot: the newest command, held back while it belongs to another pose."""

from __future__ import annotations

import threading

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState

from rise_robot.core.contract import Contract
from rise_robot.core.errors import CommandError
from rise_robot.nodes import conversions, qos


class CommandGate:
    """After a reset the controller's last command still points to the old pose. A drive would refuse such a step; so
    does the gate, until a command comes within `tolerance` (rad, revolute joints) of the measured joints.

    Attributes:
        heard: a command has ever arrived.
        held_back: commands that were not executed.
        missed: waits of `wait_for_answer` that ended without one.
    """

    def __init__(self, node: Node, contract: Contract, tolerance: float) -> None:
        self._node, self._contract, self._tolerance = node, contract, tolerance
        self._revolute = np.array([joint.unit == "rad" for joint in contract.joints])
        self._arrived = threading.Condition()
        self._newest: tuple[int, np.ndarray] | None = None
        self._open = False
        self.heard, self.held_back, self.missed = False, 0, 0
        node.create_subscription(JointState, "joint_command", self._on_command, qos.COMMAND)

    def close(self) -> None:
        """The robot was put somewhere else."""
        with self._arrived:
            self._open, self._newest = False, None

    def command(self, measured: np.ndarray, last: np.ndarray) -> np.ndarray:
        """(A,) to execute now: the newest command, or `last` while the gate is closed."""
        with self._arrived:
            newest = self._newest
        if newest is None:
            return last
        if not self._open:
            self._open = bool((np.abs(newest[1] - measured)[self._revolute] <= self._tolerance).all())
            if not self._open:
                self.held_back += 1
                return last
        return newest[1]

    def wait_for_answer(self, stamp_ns: int, timeout_s: float) -> None:
        """Return when a command stamped at or after `stamp_ns` has arrived, or after the time-out."""
        with self._arrived:
            answered = self._arrived.wait_for(
                lambda: self._newest is not None and self._newest[0] >= stamp_ns, timeout_s
            )
        self.missed += not answered

    def _on_command(self, message: JointState) -> None:
        try:
            positions = conversions.positions_of(message, self._contract)
            if not np.isfinite(positions).all():
                raise CommandError(f"joint_command is not finite: {positions}")
        except CommandError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        with self._arrived:
            self._newest, self.heard = (conversions.stamp_of(message), positions), True
            self._arrived.notify_all()
