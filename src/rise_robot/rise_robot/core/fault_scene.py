"""A control loop with an ideal robot and a policy that waves both arms, into which faults are injected. No ROS.

The robot is where it was commanded to be one period ago; every stream is delivered in the period of its stamp.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from rise_robot.core.chunk import make_chunk, make_trajectory
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract
from rise_robot.core.errors import CommandError
from rise_robot.core.supervisor import Mode
from rise_robot.core.trajectory_controller import ControllerConfig, ControlOutput, TrajectoryController

START_NS = 1_000_000_000_000
REPLAN_PERIODS = 10
POSE = np.tile([0.0, 1.3, -1.1, 0.0, 0.6, 0.0, 0.05], 2)
"""(A,) rad, m: both hands over the table, far from each other and from the workspace's edge."""
WAVE = np.tile([0.25, 0.15, 0.15, 0.3, 0.1, 0.3, 0.01], 2)


class FaultScene:
    """Attributes that faults change are the public ones.

    Attributes:
        silent: streams that deliver nothing: policy, joint feedback, camera NAME.
        chunk: changes the fields of the next ActionChunks before they are parsed.
        joints: changes the measured positions (A,); `joints_clock_ns` is added to their stamps.
        clock_ns: added to the clock of all streams and of the controller.
        jammed: the robot stays where it is, whatever is commanded.
        plan: (K,) s from now -> (K, A) what the policy wants.
    """

    def __init__(self, contract: Contract, guard: ClearanceGuard, stop_after_s: float = 1.0) -> None:
        config = ControllerConfig(stop_after_s=stop_after_s, watch_cameras=True)
        self.contract, self.controller = contract, TrajectoryController(contract, config, Mode.POLICY, guard)
        self.silent: set[str] = set()
        self.chunk: Callable[[dict[str, Any]], dict[str, Any]] = lambda fields: fields
        self.joints: Callable[[np.ndarray], np.ndarray] = lambda positions: positions
        self.joints_clock_ns, self.clock_ns, self.jammed = 0, 0, False
        self.plan: Callable[[np.ndarray], np.ndarray] = self._wave
        self.outputs: list[ControlOutput] = []
        self._measured = POSE.copy()

    @property
    def period(self) -> int:
        """Of the next command."""
        return len(self.outputs)

    @property
    def now_ns(self) -> int:
        return START_NS + self.clock_ns + round(self.period * 1e9 * self.contract.control_period_s)

    @property
    def commands(self) -> np.ndarray:
        """(N, A) everything that was sent."""
        return np.array([output.command for output in self.outputs if output.command is not None])

    def tick(self) -> None:
        """One control period: streams in, command out, robot moves."""
        self._deliver_sensors()
        if self.outputs and self.period % REPLAN_PERIODS == 0 and "policy" not in self.silent:
            self._deliver_chunk()
        self.outputs.append(self.controller.update(self.now_ns))
        if not self.jammed and (command := self.outputs[-1].command) is not None:
            self._measured = command

    def send_trajectory(self, target: np.ndarray) -> None:
        """One point that is due at once, as teleoperation sends them; refusals are counted."""
        names = self.contract.joint_names
        try:
            trajectory = make_trajectory(
                self.contract, stamp_ns=self.now_ns, joint_names=names, times_s=[0.0], positions=[target.tolist()]
            )
            self.controller.feed_trajectory(trajectory, self.now_ns)
        except CommandError as error:
            self.controller.count_refusal(error)

    def _deliver_sensors(self) -> None:
        for camera in self.contract.cameras:
            if f"camera {camera.name}" not in self.silent:
                self.controller.feed_camera(camera.name, self.now_ns)
        if "joint feedback" not in self.silent:
            with suppress(CommandError):  # counted by the controller
                self.controller.feed_joints(self.now_ns + self.joints_clock_ns, self.joints(self._measured))

    def _deliver_chunk(self) -> None:
        k, dt = self.contract.chunk_size, self.contract.control_period_s
        fields = {
            "stamp_ns": self.now_ns,
            "joint_names": self.contract.joint_names,
            "dt": dt,
            "chunk_size": k,
            "positions": self.plan(np.arange(k) * dt).ravel(),
        }
        try:
            self.controller.feed_chunk(make_chunk(self.contract, **self.chunk(fields)), self.now_ns)
        except CommandError as error:
            self.controller.count_refusal(error)

    def _wave(self, ahead_s: np.ndarray) -> np.ndarray:
        """Starts at POSE and swings about it at 0.4 Hz."""
        seconds = (self.now_ns - START_NS) * 1e-9 + ahead_s
        rising = np.minimum(seconds, 1.0)
        wave: np.ndarray = POSE + (rising * np.sin(2 * np.pi * 0.4 * seconds))[:, None] * WAVE
        return wave
