"""How late commands leave on this machine: the controller's loop, or a plain rclpy timer, around the same work.

    python -m rise_robot.nodes.lateness_probe --ros-args -p loop:=thread -p seconds:=10.0
    python -m rise_robot.nodes.lateness_probe --ros-args -p loop:=timer -p realtime_priority:=0

The work of a tick is a whole control period (a policy that waves both arms, ensembling, limits, clearance) and
publishing its command, on ~/joint_command, where no robot listens. Prints one line of JSON: ms from the deadline of
each command until it was published.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time

import numpy as np
import rclpy.node
from sensor_msgs.msg import JointState

from rise_robot.core.cell import Cell
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import config_path
from rise_robot.core.errors import HardwareError
from rise_robot.core.fault_scene import FaultScene
from rise_robot.core.pacing import Lateness, Pacer, timer_deadlines
from rise_robot.nodes import conversions, qos, runtime
from rise_robot.nodes.runtime import declare

WARM_UP = 15
"""Commands at the start that do not count."""


class LatenessProbeNode:
    """Keeps when each command was due and when it had left."""

    def __init__(self) -> None:
        self.node = node = rclpy.node.Node("lateness_probe")
        self.contract = runtime.declare_contract(node)
        self._loop = declare(node, "loop", "thread", "thread: as the trajectory controller; timer: an rclpy timer.")
        self._seconds = declare(node, "seconds", 10.0, "s to measure.", low=1.0, high=600.0)
        self._priority = declare(node, "realtime_priority", 50, "SCHED_FIFO priority; 0: do not ask.", low=0, high=99)
        self._scene = FaultScene(self.contract, ClearanceGuard(self.contract, Cell.load(config_path("cell.yaml"))))
        profile = qos.offered_command(self.contract.control_rate_hz)
        self._publisher = node.create_publisher(JointState, "~/joint_command", profile)
        self._count = WARM_UP + round(self._seconds * self.contract.control_rate_hz)
        self._begun_ns: list[int] = []
        self._left_ns: list[int] = []

    def run(self, stop: threading.Event) -> None:
        scheduling = runtime.ask_for_realtime(self._priority)
        loops = {"thread": self._by_thread, "timer": self._by_timer}
        if self._loop not in loops:
            raise HardwareError(f"unknown loop {self._loop!r}; known are {', '.join(loops)}")
        deadlines = loops[self._loop](stop)
        late_ms = (np.array(self._left_ns) - deadlines)[WARM_UP:] * 1e-6
        missed = round((deadlines[-1] - deadlines[WARM_UP]) * 1e-9 / self.contract.control_period_s) + 1 - len(late_ms)
        figures = dataclasses.asdict(Lateness.of(late_ms, missed))
        print(json.dumps({"loop": self._loop, "scheduling": scheduling, **figures}), flush=True)

    def close(self) -> None:
        """Nothing is held."""

    def _by_thread(self, stop: threading.Event) -> np.ndarray:
        """(N,) ns, deadlines of the loop that the trajectory controller has."""
        pacer, deadlines = Pacer(self.contract.control_period_s, time.monotonic_ns, stop.wait), []
        while len(self._left_ns) < self._count and pacer.sleep():
            deadlines.append(pacer.deadline_ns)
            self._tick()
        return np.array(deadlines)

    def _by_timer(self, stop: threading.Event) -> np.ndarray:
        """(N,) ns, deadlines of a timer that the executor calls."""
        done = threading.Event()

        def tick() -> None:
            if len(self._left_ns) < self._count:
                self._tick()
            else:
                done.set()

        origin = time.monotonic_ns()
        self.node.create_timer(self.contract.control_period_s, tick)
        while not stop.is_set() and not done.wait(0.1):
            pass
        return timer_deadlines(self._begun_ns, origin, self.contract.control_period_s)

    def _tick(self) -> None:
        self._begun_ns.append(time.monotonic_ns())
        self._scene.tick()
        command, now = self._scene.outputs[-1].command, self.node.get_clock().now().nanoseconds
        if command is not None:
            self._publisher.publish(conversions.joint_state(self.contract, now, command))
        self._left_ns.append(time.monotonic_ns())


def main() -> int:
    return runtime.run(LatenessProbeNode, realtime="realtime_priority")


if __name__ == "__main__":
    sys.exit(main())
