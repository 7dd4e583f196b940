"""Brings the managed nodes of a bringup up in order, and takes them down in the opposite order.

All are configured before the first is activated. When one fails, those that are active are deactivated, the failure is
reported with the node's name and its last error, and this node ends with exit code 1, which ends the bringup.
On SIGINT it deactivates all: the controller brings the arms to rest and sends nothing more, then the driver executes
nothing more and the motors hold.
Calls: <node>/change_state, and <node>/get_state where its answer does not come, of every node of the parameter `nodes`.
Subscribes: /rosout. Publishes: /diagnostics (1 Hz).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import rclpy.node
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Log
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.task import Future

from rise_robot.core.errors import LaunchError
from rise_robot.core.start_order import StartOrder
from rise_robot.nodes import runtime
from rise_robot.nodes.runtime import declare

TRANSITIONS = {
    "configure": (Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE),
    "activate": (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE),
    "deactivate": (Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE),
}
"""And the state that each leads to."""
DOWN_S = 2.0
"""A node that does not deactivate in this time is ended as it is; its own end is a safe one too."""
SPIN_S = 0.05
ASK_S = 1.0
"""After so long without an answer a node is asked for its state, again and again: on a busy machine an answer is lost
where the node has not yet discovered who asks (`failed to send response`), and nobody would ever repeat it."""


class _Reached:
    """Called again and again: whether the node says that it is in state `goal`. It is asked every ASK_S."""

    def __init__(self, client: Client, goal: int) -> None:
        self._client, self._goal = client, goal
        self._answer: Future | None = None
        self._ask_at = time.monotonic() + ASK_S

    def __call__(self) -> bool:
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            return bool(answer.result().current_state.id == self._goal)
        if time.monotonic() >= self._ask_at and self._client.service_is_ready():
            self._answer, self._ask_at = self._client.call_async(GetState.Request()), time.monotonic() + ASK_S
        return False


class LifecycleManagerNode:
    """Declares, wires, delegates: the order is that of rise_robot.core.start_order."""

    def __init__(self) -> None:
        self.node = node = rclpy.node.Node("lifecycle_manager")
        text = declare(
            node, "nodes", "", "Names of the managed nodes in the order of their start, commas between them."
        )
        self._answer_s = declare(
            node, "answer_timeout_s", 60.0, "s until a node must answer at all.", low=1.0, high=600.0
        )
        self._change_s = declare(
            node,
            "transition_timeout_s",
            180.0,
            "s that a transition may take; a policy loads in one.",
            low=1.0,
            high=3600.0,
        )
        self._names = names = [name.strip() for name in text.split(",") if name.strip()]
        if not names:
            raise LaunchError("no nodes to manage; set the parameter nodes, as in piper_driver,trajectory_controller")
        self._order = StartOrder(names, self._change)
        self._stop, self._errors = threading.Event(), dict[str, str]()
        # A node of its own for calls that wait: the other one is served by the executor of every node of ours.
        self._caller = rclpy.node.Node(
            "lifecycle_manager_calls", use_global_arguments=False, namespace=node.get_namespace()
        )
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._caller)
        self._clients = {name: self._caller.create_client(ChangeState, f"{name}/change_state") for name in names}
        self._states = {name: self._caller.create_client(GetState, f"{name}/get_state") for name in names}
        self._caller.create_subscription(Log, "/rosout", self._on_log, QoSProfile(depth=100))
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._said = "starting"
        node.create_timer(1.0, self._diagnose)

    def run(self, stop: threading.Event) -> None:
        self._stop = stop
        try:
            self._order.up()
        except LaunchError:
            if stop.is_set():
                return  # asked to end in the middle of the start
            self._said = "a node failed"
            raise
        self._said = "all active"
        self.node.get_logger().info(f"active: {', '.join(self._names)}")
        runtime.wait(stop)

    def close(self) -> None:
        for fault in self._order.down():
            self.node.get_logger().warning(fault)
        self._executor.shutdown()
        self._caller.destroy_node()

    def _change(self, name: str, transition: str) -> str:
        """Ask one node for a transition and wait; what went wrong, empty where nothing did."""
        client, down = self._clients[name], transition == "deactivate"
        if not self._spin(client.service_is_ready, 0.0 if down else self._answer_s, down):
            return "it is gone" if down else f"it did not answer within {self._answer_s:g} s"
        number, goal = TRANSITIONS[transition]
        future = client.call_async(ChangeState.Request(transition=Transition(id=number, label=transition)))
        limit_s, reached = DOWN_S if down else self._change_s, _Reached(self._states[name], goal)
        if not self._spin(lambda: future.done() or reached(), limit_s, down):
            return f"not done within {limit_s:g} s"
        if not future.done() or future.result().success:
            self.node.get_logger().info(f"{name}: {transition}")
            return ""
        self._spin(lambda: name in self._errors, 0.5, down)
        return self._errors.get(name, "its log says why").removeprefix(f"{transition}: ")

    def _spin(self, done: Callable[[], bool], limit_s: float, down: bool) -> bool:
        """Serve the caller until `done` or the limit; a request to end interrupts what is not on the way down."""
        end = time.monotonic() + limit_s
        while not done():
            if time.monotonic() >= end or (self._stop.is_set() and not down):
                return False
            self._executor.spin_once(timeout_sec=SPIN_S)
        return True

    def _on_log(self, message: Log) -> None:
        if message.level >= Log.ERROR:
            self._errors[message.name.rpartition(".")[2]] = message.msg

    def _diagnose(self) -> None:
        level = DiagnosticStatus.OK if self._said == "all active" else DiagnosticStatus.WARN
        values = {name: "active" if name in self._order.active else "not active" for name in self._names}
        self._diagnostics.publish(runtime.diagnostics(self.node, level, self._said, values))


def main() -> int:
    return runtime.run(LifecycleManagerNode)


if __name__ == "__main__":
    sys.exit(main())
