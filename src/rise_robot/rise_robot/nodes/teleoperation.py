"""A person commands by gamepad, keyboard or leader arms: takes over from a policy at any moment, and gives back.

Subscribes: control/status (each one is a tick), joint_command, episode/status; leader/joint_states or joy where used.
Publishes: joint_trajectory_controller/joint_trajectory, control/emergency_stop, /diagnostics (1 Hz).
Calls: control/set, episode/start, episode/end, episode/label.

Until the controller says that the person commands, the target is the present command, so that a hand-over never jumps.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
import rclpy.node
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from rise_msgs.msg import ControlStatus
from rise_robot.core.cell import Cell
from rise_robot.core.contract import config_path
from rise_robot.core.errors import CommandError, TeleoperationError
from rise_robot.core.supervisor import Mode
from rise_robot.nodes import conversions, qos, runtime
from rise_robot.nodes.joy_device import JoyDevice
from rise_robot.nodes.motion_source import JogSource, LeaderSource, MotionSource
from rise_robot.nodes.operator_requests import OperatorRequests
from rise_robot.nodes.runtime import declare
from rise_robot.teleop.bindings import Bindings
from rise_robot.teleop.devices import InputDevice
from rise_robot.teleop.evdev import EvdevDevice
from rise_robot.teleop.handover import Handover
from rise_robot.teleop.jog import JogConfig
from rise_robot.teleop.terminal import TerminalKeyboard

POLL_S = 0.01
REOPEN_S = 1.0
PATIENCE = 60
"""Control periods in which somebody else holds the robot until the person has to take over again."""


class TeleoperationNode:
    """The loop in `run` owns device and motion; callbacks only leave what they heard."""

    def __init__(self) -> None:
        self.node = node = rclpy.node.Node("teleoperation")
        self.contract = runtime.declare_contract(node)
        self._declare()
        self._bindings = Bindings.load(_configured(self._bindings_file), self._device_kind)
        self._device: InputDevice | None = self._open()
        self._motion = self._make_motion()
        self._handover = Handover(self._other, single=self._single)
        kind = "demonstration" if self._person is Mode.DEMO else "rollout"
        self._requests = OperatorRequests(node, kind, node.get_logger().info, self._on_episode)
        promise = qos.offered_command(self.contract.control_rate_hz)
        self._target = node.create_publisher(JointTrajectory, "joint_trajectory_controller/joint_trajectory", promise)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_subscription(JointState, "joint_command", self._on_command, qos.COMMAND)
        node.create_subscription(ControlStatus, "control/status", self._on_status, qos.LATCHED)
        node.create_timer(1.0, self._diagnose)
        self._wake, self._status, self._command = threading.Event(), None, None
        self._engaged_since_ns: int | None = None
        self._held, self._anchored = 0, False
        self._reopen_at, self._lost = 0.0, ""

    def _declare(self) -> None:
        node = self.node
        self._device_kind = declare(node, "device", "keyboard", "Input device: keyboard, gamepad or joy.")
        self._path = declare(
            node, "path", "", "File of a gamepad or keyboard (/dev/input/event*); empty: keyboard of the terminal."
        )
        self._bindings_file = declare(node, "bindings", "teleop_bindings.yaml", "What each control does.")
        self._motion_kind = declare(node, "motion", "jog", "What moves the arms: jog (the device), or leader.")
        self._cell_file = declare(node, "cell", "cell.yaml", "Where the arms stand, for jogging.")
        self._jog = JogConfig(
            speed=declare(node, "speed", 0.15, "m/s of a hand at full deflection.", low=0.0, high=0.5),
            turn=declare(node, "turn", 0.8, "rad/s of a hand at full deflection.", low=0.0, high=2.0),
            grip=declare(node, "grip", 0.08, "m/s of a gripper's opening at full deflection.", low=0.0, high=0.3),
        )
        self._align_speed = declare(
            node, "align_speed", 0.2, "rad/s by which followers approach leaders.", low=0.0, high=2.0
        )
        person = declare(node, "person", "human", "human: corrects a policy; demo: demonstrates.")
        other = declare(node, "hand_back_to", "policy", "Who commands afterwards: policy, demo, hold.")
        self._person = _mode("person", person, (Mode.HUMAN, Mode.DEMO))
        self._other = _mode("hand_back_to", other, (Mode.POLICY, Mode.DEMO, Mode.HOLD))
        self._single = declare(node, "single_takeover", False, "The paper's protocol: one take-over, to the end.")

    def _make_motion(self) -> MotionSource:
        if self._motion_kind == "jog":
            return JogSource(self.contract, Cell.load(_configured(self._cell_file)), self._jog, self._bindings)
        if self._motion_kind == "leader":
            return LeaderSource(self.node, self.contract, self._align_speed)
        raise TeleoperationError(f"unknown motion {self._motion_kind!r}; known are jog, leader")

    def _open(self) -> InputDevice:
        if self._device_kind == "joy":
            return JoyDevice(self.node)
        if self._path:
            return EvdevDevice(self._path)
        if self._device_kind == "keyboard":
            return TerminalKeyboard(time.monotonic)
        raise TeleoperationError(
            f"device {self._device_kind!r} is none of keyboard, joy, gamepad with a path (/dev/input/by-id/*-event-*)"
        )

    def run(self, stop: threading.Event) -> None:
        self.node.get_logger().info(f"{self._device_kind}: {self._bindings.describe()}")
        while not stop.is_set():
            self._wake.wait(POLL_S)
            self._wake.clear()
            self._poll()
            status, self._status = self._status, None
            if status is not None:
                self._tick(status)

    def close(self) -> None:
        """A person who commanded leaves the robot on hold."""
        if self._engaged_since_ns is not None:
            self._requests.control(Mode.HOLD)
            time.sleep(0.1)
        if self._device is not None:
            self._device.close()

    def _poll(self) -> None:
        """Carry out what the device asks for. A device that is lost leaves the robot on hold and is looked for."""
        try:
            if self._device is None:
                if time.monotonic() < self._reopen_at:
                    return
                self._device, self._lost = self._open(), ""
                self.node.get_logger().info(f"reading {self._device_kind} again")
            for event in self._device.poll():
                if action := self._bindings.feed(event):
                    self._act(action)
        except TeleoperationError as error:
            self._lose(error)

    def _lose(self, error: TeleoperationError) -> None:
        """Whoever commands, the robot is held: with the device its emergency stop is gone."""
        if not self._lost:
            self.node.get_logger().error(str(error))
            self._requests.control(Mode.HOLD)
        if self._device is not None:
            self._device.close()
        self._device, self._lost, self._reopen_at = None, str(error), time.monotonic() + REOPEN_S
        self._bindings.release()
        if self._engaged_since_ns is not None:
            self._disengage()

    def _act(self, action: str) -> None:
        try:
            if action == "emergency_stop":
                self._disengage()
                self._requests.emergency_stop()
            elif action == "take_over":
                self._motion.check()
                self._requests.control(self._person, self._engage)
            elif action in ("hand_back", "hold"):
                mode = Mode.HOLD if action == "hold" else self._handover.give_back()
                self._disengage()
                self._requests.control(mode)
            elif action == "switch_arm":
                self.node.get_logger().info(f"moving {self._motion.switch_arm()}")
            elif action == "start_episode":
                self._requests.start_episode()
            else:
                self._requests.judge(action)
        except TeleoperationError as error:
            self.node.get_logger().warning(str(error))

    def _engage(self) -> None:
        self._handover.taken()
        self._held, self._anchored, self._engaged_since_ns = 0, False, self._now()

    def _disengage(self) -> None:
        self._handover.left()
        self._engaged_since_ns = None

    def _tick(self, status: ControlStatus) -> None:
        """One control period: the next target while the person commands, the present command while that begins."""
        since, command = self._engaged_since_ns, self._command
        if since is None or command is None or conversions.stamp_of(status) <= since:
            return
        try:
            if status.mode == self._person.value and self._anchored:
                self._held, target = 0, self._motion.step(command, self._now())
            elif status.mode in (self._person.value, Mode.HOLD.value) and self._held < PATIENCE:
                self._held, self._anchored, target = self._held + 1, True, command
                self._motion.anchor(command, self._now())
            else:
                self._disengage()
                self.node.get_logger().warning(f"{status.mode} commands ({status.reason}); take over again")
                return
            self._target.publish(conversions.target_message(self.contract, self._now(), target))
        except TeleoperationError as error:
            self.node.get_logger().error(str(error))
            self._disengage()
            self._requests.control(Mode.HOLD)

    def _now(self) -> int:
        return self.node.get_clock().now().nanoseconds

    def _on_status(self, message: ControlStatus) -> None:
        self._status = message
        self._wake.set()

    def _on_command(self, message: JointState) -> None:
        try:
            command = conversions.positions_of(message, self.contract)
        except CommandError as error:
            self.node.get_logger().warning(str(error), throttle_duration_sec=1.0)
            return
        if np.isfinite(command).all():
            self._command = command

    def _on_episode(self, episode_id: str, running: bool) -> None:
        mode = self._handover.on_episode(episode_id, running)
        if mode is not None:
            self._disengage()
            self._requests.control(mode)

    def _diagnose(self) -> None:
        engaged = self._engaged_since_ns is not None
        values = {"device": self._device_kind, "takeovers": self._handover.takeovers, **self._motion.diagnostics()}
        level = DiagnosticStatus.ERROR if self._lost else DiagnosticStatus.OK
        message = self._lost or ("commanding" if engaged else "watching")
        self._diagnostics.publish(runtime.diagnostics(self.node, level, message, values))


def _configured(text: str) -> Path:
    return Path(text) if Path(text).is_file() else config_path(Path(text).name)


def _mode(name: str, text: str, allowed: tuple[Mode, ...]) -> Mode:
    if text not in [mode.value for mode in allowed]:
        raise TeleoperationError(f"{name} must be one of {', '.join(allowed)}, got {text!r}")
    return Mode(text)


def main() -> int:
    return runtime.run(TeleoperationNode)


if __name__ == "__main__":
    sys.exit(main())
