"""The first motion of a robot: a small swing of all joints by action chunks, as of a policy; then figures.

    python -m rise_robot.nodes.motion_check --ros-args -p seconds:=10.0 -p amplitude:=0.1

Takes control as the policy (control/set), streams chunks, hands control back to hold, prints one line of JSON: rates,
gaps and ages of joint_states, joint_command and, where there are any, joint_setpoint, by how much the joints trail
their commands, what was refused, and how busy the machine is. The arms need room.
Subscribes: joint_states, joint_command, joint_setpoint, control/status, /diagnostics. Publishes: policy/action_chunk.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
from collections import defaultdict
from typing import Any

import numpy as np
import rclpy.node
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState

from rise_msgs.msg import ActionChunk, ControlStatus
from rise_msgs.srv import SetControl
from rise_robot.core.chunk import Chunk
from rise_robot.core.errors import HardwareError
from rise_robot.core.reference_motion import ReferenceMotion, StreamFigures, delay_s
from rise_robot.nodes import conversions, qos, runtime
from rise_robot.nodes.runtime import declare

CHUNK_EVERY_S = 0.25
COMMANDS = ("joint_command", "joint_setpoint")


class MotionCheckNode:
    """Keeps what arrives; `run` moves, then prints."""

    def __init__(self) -> None:
        self.node = node = rclpy.node.Node("motion_check")
        self.contract = runtime.declare_contract(node)
        self._seconds = declare(node, "seconds", 10.0, "Duration of the motion.", low=1.0, high=600.0)
        self._amplitude = declare(node, "amplitude", 0.1, "rad that every joint swings.", low=0.0, high=1.0)
        self._period_s = declare(node, "period_s", 4.0, "Of one swing.", low=1.0, high=60.0)
        self._ready_s = declare(node, "ready_s", 60.0, "s to wait for the robot.", low=1.0, high=600.0)
        priority = declare(
            node, "realtime_priority", 40, "SCHED_FIFO priority: what measures must not be late.", low=0, high=99
        )
        runtime.ask_for_realtime(priority)  # before any thread is started
        self._heard: dict[str, list[tuple[int, int, np.ndarray]]] = defaultdict(list)  # stamp, arrival, positions
        self._refused: dict[str, int] = {}
        self._status: ControlStatus | None = None
        self._chunks = node.create_publisher(ActionChunk, "policy/action_chunk", qos.offered_command(1 / CHUNK_EVERY_S))
        for topic, profile in (("joint_states", qos.SENSOR), *((name, qos.EVENT) for name in COMMANDS)):
            node.create_subscription(JointState, topic, lambda m, topic=topic: self._keep(topic, m), profile)
        node.create_subscription(ControlStatus, "control/status", self._on_status, qos.LATCHED)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.EVENT)
        self._control = node.create_client(SetControl, "control/set")

    def run(self, stop: threading.Event) -> None:
        self._wait_for(lambda: self._heard["joint_command"] and self._heard["joint_states"], stop, "joint_states")
        self._take("policy", stop)
        start = self._heard["joint_command"][-1][2]
        begin = self._now()
        motion = ReferenceMotion(self.contract, start, self._amplitude, self._period_s)
        self._heard.clear()
        while (self._now() - begin) * 1e-9 < self._seconds and not stop.is_set():
            self._send(motion, begin)
            stop.wait(CHUNK_EVERY_S)
        heard = {topic: list(messages) for topic, messages in self._heard.items()}
        mode = self._status.mode if self._status else ""
        self._take("hold", stop)
        print(json.dumps(self._figures(heard, mode)), flush=True)

    def close(self) -> None:
        """Nothing is held: control was handed back, or the controller stops for want of chunks."""

    def _send(self, motion: ReferenceMotion, begin_ns: int) -> None:
        """One chunk that answers the newest joint states."""
        stamp = self._heard["joint_states"][-1][0] if self._heard["joint_states"] else self._now()
        times = (stamp - begin_ns) * 1e-9 + np.arange(self.contract.chunk_size) * self.contract.control_period_s
        chunk = Chunk(stamp, motion.positions(times), policy_version="motion_check")
        self._chunks.publish(conversions.chunk_message(chunk, self.contract))

    def _figures(self, heard: dict[str, list[tuple[int, int, np.ndarray]]], mode: str) -> dict[str, Any]:
        columns = {
            topic: [np.array(column) for column in zip(*messages, strict=True)] for topic, messages in heard.items()
        }
        if len(heard["joint_states"]) < 2 or len(heard["joint_command"]) < 2:
            raise HardwareError(f"too little was heard: { {topic: len(each) for topic, each in heard.items()} }")
        state_ns, _, states = columns["joint_states"]
        command_ns, _, commands = columns["joint_command"]
        delay, error = delay_s(command_ns, commands, state_ns, states)
        return {
            **{topic: dataclasses.asdict(StreamFigures.of(each[0], each[1])) for topic, each in columns.items()},
            "delay_ms": round(1e3 * delay, 1),
            "error_rms_mrad": round(1e3 * error, 3),
            "swing_min_rad": round(float(np.ptp(states, axis=0)[self._revolute()].min()), 4),
            "refused": self._refused,
            "mode_at_end": mode,
            "load_average": round(os.getloadavg()[0], 2),
        }

    def _revolute(self) -> np.ndarray:
        return np.array([joint.unit == "rad" for joint in self.contract.joints])

    def _take(self, mode: str, stop: threading.Event) -> None:
        self._wait_for(self._control.service_is_ready, stop, "the service control/set")
        future = self._control.call_async(SetControl.Request(mode=mode, reason="motion_check"))
        self._wait_for(future.done, stop, "an answer of control/set")
        if not future.result().success:
            raise HardwareError(f"control was not handed over: {future.result().message}")

    def _wait_for(self, condition: Any, stop: threading.Event, what: str) -> None:
        end = time.monotonic() + self._ready_s
        while not condition():
            if stop.wait(0.02) or time.monotonic() > end:
                raise HardwareError(f"waited {self._ready_s:g} s for {what} in vain")

    def _keep(self, topic: str, message: JointState) -> None:
        positions = conversions.positions_of(message, self.contract)
        self._heard[topic].append((conversions.stamp_of(message), self._now(), positions))

    def _on_status(self, message: ControlStatus) -> None:
        self._status = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.rpartition("/")[2]
            for pair in status.values:
                if pair.key.startswith("refused/") and pair.value != "0":
                    self._refused[f"{name} {pair.key}"] = int(pair.value)

    def _now(self) -> int:
        return self.node.get_clock().now().nanoseconds


def main() -> int:
    return runtime.run(MotionCheckNode, realtime="realtime_priority")


if __name__ == "__main__":
    sys.exit(main())
