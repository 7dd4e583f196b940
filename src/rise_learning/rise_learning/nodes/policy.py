"""The policy as a node: observations in, action chunks out, in a thread of its own and never in the control loop's way.

A lifecycle node. configure: loads the checkpoint, checks its contract and runs the warm-up inference, which never
counts as latency. activate: subscribes and answers observations. By itself (parameter autostart) it does both.
Subscribes: joint_states, camera/*/image_raw/compressed, episode/status.
Publishes: policy/action_chunk, policy/status (once per inference), /diagnostics (1 Hz).
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from pathlib import Path

import numpy as np
import torch
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from rise_learning.errors import PolicyError, RiseLearningError
from rise_learning.nodes.live_policy import LivePolicy
from rise_learning.policy.location import policy_directory
from rise_msgs.msg import ActionChunk, PolicyStatus
from rise_robot.core.chunk import Chunk
from rise_robot.core.errors import ObservationError, RiseRobotError
from rise_robot.core.observation_buffer import Observation
from rise_robot.nodes import conversions, qos, runtime
from rise_robot.nodes.lifecycle import RefusingLifecycleNode
from rise_robot.nodes.observation_subscriber import ObservationSubscriber
from rise_robot.nodes.runtime import declare
from rise_worldmodel.errors import WorldModelError

WAIT_S = 0.1


class _Lifecycle(RefusingLifecycleNode):
    """Transitions delegate to the PolicyNode."""

    owner: PolicyNode

    def on_configure(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self.owner.configure()

    def on_activate(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self.owner.activate()

    def on_deactivate(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self.owner.deactivate()

    def on_cleanup(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self.owner.cleanup()


class PolicyNode:
    """Declares, wires, delegates: what a policy sees is ObservationSubscriber's, what it answers LivePolicy's."""

    def __init__(self) -> None:
        self.node = node = _Lifecycle("policy")
        node.owner = self
        self.contract = runtime.declare_contract(node)
        self._declare()
        self._chunks = node.create_publisher(ActionChunk, "policy/action_chunk", qos.offered_command(1.0))
        self._status = node.create_publisher(PolicyStatus, "policy/status", qos.LATCHED)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(1.0, self._diagnose)
        self._policy: LivePolicy | None = None
        self._inputs: ObservationSubscriber | None = None
        self._inferences, self._last_ns, self._fault = 0, 0, ""
        self._value = float("nan")
        self._latencies: deque[float] = deque(maxlen=300)

    def _declare(self) -> None:
        node = self.node
        configured = "read on configure."
        declare(node, "run", "", f"Run (its newest stage is taken) or policy directory; {configured}", read_only=False)
        declare(
            node, "advantage_bin", -1, f"Bin asked for, 0: none, -1: the policy's best; {configured}",
            low=-1, high=255, read_only=False,
        )  # fmt: skip
        self._value_directory = declare(node, "value", "", "Directory of a value model for policy/status; empty: none.")
        self._autostart = declare(node, "autostart", True, "Configure and activate at the start.")
        self._replan_steps = declare(
            node, "replan_steps", 10, "Control periods between two observations that are answered.", low=1, high=50
        )
        self._flow_steps = declare(
            node, "flow_steps", 0, "Euler steps of one inference; 0: those of the policy.", low=0, high=100
        )
        self._guidance = declare(node, "guidance", 1.0, "Guidance on the bin; 1 is off.", low=0.0, high=20.0)
        self._noise_scale = declare(
            node, "noise_scale", 1.0, "Of the noise a chunk begins as; 0: the most typical one.", low=0.0, high=1.0
        )
        self._seed = declare(node, "seed", 0, "Seed of the sampling noise.", low=0, high=2**31)
        self._instruction = declare(node, "instruction", "", "Used while no episode/status gives one.")
        torch.set_num_threads(declare(node, "threads", 1, "Threads of one inference.", low=1, high=64))

    def run(self, stop: threading.Event) -> None:
        if self._autostart and not self.node.bring_up():
            raise RiseLearningError(self._fault or "the policy node was not started; its log says why")
        while not stop.is_set():
            inputs, policy = self._inputs, self._policy
            if inputs is None or policy is None:
                stop.wait(WAIT_S)
            else:
                self._answer(inputs, policy)

    def close(self) -> None:
        self.deactivate()

    def configure(self) -> TransitionCallbackReturn:
        """Load and warm up; a checkpoint that does not fit the contract is an error that names both."""
        self._report(PolicyStatus.STATE_WARMUP)
        try:
            run, value = Path(self.node.get_parameter("run").value), self._value_directory
            wanted = self.node.get_parameter("advantage_bin").value
            self._policy = LivePolicy(
                policy_directory(run), self.contract, advantage_bin=None if wanted < 0 else wanted,
                flow_steps=self._flow_steps or None, guidance=self._guidance, noise_scale=self._noise_scale,
                seed=self._seed, value_directory=Path(value) if value else None,
            )  # fmt: skip
            seconds = self._policy.warm_up()
        except (RiseLearningError, RiseRobotError, WorldModelError) as error:
            self._policy, self._fault = None, str(error)
            self.node.get_logger().error(self._fault)
            self._report(PolicyStatus.STATE_ERROR)
            return TransitionCallbackReturn.FAILURE
        self.node.get_logger().info(f"{self._policy.version}: ready, warm-up took {seconds:.3f} s")
        self._report(PolicyStatus.STATE_READY)
        return TransitionCallbackReturn.SUCCESS

    def activate(self) -> TransitionCallbackReturn:
        self._inferences, self._last_ns, self._fault, self._value = 0, 0, "", float("nan")
        self._latencies.clear()
        self._inputs = ObservationSubscriber(self.node, self.contract)
        return TransitionCallbackReturn.SUCCESS

    def deactivate(self) -> TransitionCallbackReturn:
        inputs, self._inputs = self._inputs, None
        if inputs is not None:
            inputs.close()
            self._report(PolicyStatus.STATE_READY)
        return TransitionCallbackReturn.SUCCESS

    def cleanup(self) -> TransitionCallbackReturn:
        self._policy = None
        return TransitionCallbackReturn.SUCCESS

    def _answer(self, inputs: ObservationSubscriber, policy: LivePolicy) -> None:
        """One observation, one chunk; a stream that is missing or stale means no inference."""
        due_ns = self._last_ns + round((self._replan_steps - 0.5) * 1e9 * self.contract.control_period_s)
        if inputs.begin_ns > self._last_ns:
            due_ns = inputs.begin_ns  # the first observation of an episode does not wait
        try:
            seen = inputs.observe(due_ns, policy.history, WAIT_S)
        except ObservationError as error:
            self._wait_for_streams(str(error))
            return
        silent = inputs.silent(self.node.get_clock().now().nanoseconds)
        if silent:
            self._wait_for_streams("missing or stale: " + ", ".join(silent))
        elif seen is not None:
            instruction = inputs.instruction or self._instruction
            actions = self._infer(policy, seen, instruction)
            if actions is not None and self._inputs is inputs:  # not deactivated meanwhile
                self._publish(seen, actions, policy)
                self._value = policy.value(seen, instruction)
                self._report(PolicyStatus.STATE_RUNNING)

    def _infer(self, policy: LivePolicy, seen: Observation, instruction: str) -> np.ndarray | None:
        """(K, A), or None where the policy failed; it then stays silent until it is configured again."""
        try:
            return policy.infer(seen, instruction)
        except PolicyError as error:
            self._policy, self._fault = None, str(error)
            self.node.get_logger().error(self._fault)
            self._report(PolicyStatus.STATE_ERROR)
            return None

    def _publish(self, seen: Observation, actions: np.ndarray, policy: LivePolicy) -> None:
        chunk = Chunk(seen.stamp_ns, actions, policy.version, policy.advantage_bin)
        self._chunks.publish(conversions.chunk_message(chunk, self.contract))
        self._last_ns, self._inferences = seen.stamp_ns, self._inferences + 1
        self._latencies.append(self._age_s(seen.stamp_ns))
        if self._fault:
            self.node.get_logger().info("observations are back")
            self._fault = ""

    def _wait_for_streams(self, fault: str) -> None:
        if not self._fault:
            self.node.get_logger().warning(f"no inference: {fault}")
            self._report(PolicyStatus.STATE_WAITING)
        self._fault = fault

    def _age_s(self, stamp_ns: int) -> float:
        return (self.node.get_clock().now().nanoseconds - stamp_ns) * 1e-9

    def _report(self, state: str) -> None:
        policy = self._policy  # a transition may take it away meanwhile
        self._status.publish(
            PolicyStatus(
                header=conversions.to_header(self._last_ns),
                policy_version=policy.version if policy else "",
                value=self._value,
                advantage_bin=policy.advantage_bin if policy else 0,
                latency_s=self._latencies[-1] if self._latencies else float("nan"),
                inferences=self._inferences,
                state=state,
            )
        )

    def _diagnose(self) -> None:
        latencies = list(self._latencies) or [float("nan")]
        values: dict[str, object] = {
            "version": self._policy.version if self._policy else "",
            "inferences": self._inferences,
            "latency_p50_ms": float(np.percentile(latencies, 50)) * 1e3,
            "latency_p99_ms": float(np.percentile(latencies, 99)) * 1e3,
        }
        if self._inputs is not None:
            values |= {f"refused/{topic}": count for topic, count in self._inputs.refused.items()}
        level = DiagnosticStatus.ERROR if self._fault else DiagnosticStatus.OK
        self._diagnostics.publish(runtime.diagnostics(self.node, level, self._fault or "answering", values))


def main() -> int:
    return runtime.run(PolicyNode)


if __name__ == "__main__":
    sys.exit(main())
