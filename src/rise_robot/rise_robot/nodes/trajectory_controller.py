"""The 30 Hz trajectory controller as a node: chunks and trajectories in, `joint_command` out.

A lifecycle node. activate: commands 30 times a second, beginning anew. deactivate: brakes to rest, then sends nothing
more. A latched emergency stop outlives both. By itself (parameter autostart) it configures and activates at the start.
Subscribes: joint_states, policy/action_chunk, joint_trajectory_controller/joint_trajectory, every camera's camera_info
(watchdog), control/emergency_stop (std_msgs/Empty: any message latches the stop).
Publishes: joint_command (30 Hz), control/status (30 Hz), /diagnostics (1 Hz); with setpoint_rate_hz and in real time
also joint_setpoint, the same commands interpolated for a driver that wants finer steps.
Serves: control/set (rise_msgs/SetControl): hand control over, stop, resume; control/emergency_stop (std_srvs/Trigger).
All decisions are those of rise_robot.core.trajectory_controller.
"""

from __future__ import annotations

import sys
import threading
import time
from functools import partial

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Empty
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from rise_msgs.msg import ActionChunk, ControlStatus
from rise_msgs.srv import SetControl
from rise_robot.core.errors import CommandError, LaunchError, ModeError
from rise_robot.core.supervisor import Mode
from rise_robot.core.trajectory_controller import ControlOutput, TrajectoryController
from rise_robot.nodes import controller_parameters, conversions, qos, runtime
from rise_robot.nodes.lifecycle import ManagedNode
from rise_robot.nodes.periodic_thread import PeriodicThread

WAKE_S = 0.1
WITHOUT_DIGITS = str.maketrans("", "", "-.0123456789")
REST_S = 1.0
"""Limits of acceleration bring every joint to rest sooner."""


class TrajectoryControllerNode:
    """Wires topics to the core. In real time the loop has absolute deadlines; under use_sim_time /clock drives it."""

    def __init__(self) -> None:
        self.node = ManagedNode("trajectory_controller", self._transition)
        self.contract = runtime.declare_contract(self.node)
        self._parameters = controller_parameters.declare_all(self.node, self.contract)
        self._interpolator = controller_parameters.interpolator(self.contract)
        self._lock = threading.Lock()
        self._core = self._new_core()
        self._begun = False
        self._loops: list[PeriodicThread] = []
        self._active, self._last_words = False, ""
        self._last_command, self._at_rest = np.zeros(0), True
        self._wire()

    def _new_core(self) -> TrajectoryController:
        given = self._parameters
        return TrajectoryController(self.contract, given.config, given.initial, given.guard)

    def _wire(self) -> None:
        node = self.node
        self._command = node.create_publisher(
            JointState, "joint_command", qos.offered_command(self.contract.control_rate_hz)
        )
        self._status = node.create_publisher(ControlStatus, "control/status", qos.LATCHED)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_subscription(JointState, "joint_states", self._on_joints, qos.SENSOR)
        node.create_subscription(ActionChunk, "policy/action_chunk", self._on_chunk, qos.COMMAND)
        node.create_subscription(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", self._on_trajectory, qos.COMMAND
        )
        for camera in self.contract.cameras:
            node.create_subscription(CameraInfo, camera.info_topic, partial(self._on_camera, camera.name), qos.SENSOR)
        node.create_subscription(Empty, "control/emergency_stop", self._on_emergency_topic, qos.EVENT)
        node.create_service(Trigger, "control/emergency_stop", self._on_emergency_service)
        node.create_service(SetControl, "control/set", self._on_set)
        node.create_timer(1.0, self._diagnose)
        self._simulated = node.get_parameter("use_sim_time").value
        if self._simulated:
            node.create_timer(self.contract.control_period_s, self._on_clock)
        elif self._parameters.setpoint_rate_hz:
            profile = qos.offered_command(self._parameters.setpoint_rate_hz)
            self._setpoint = node.create_publisher(JointState, "joint_setpoint", profile)

    def run(self, stop: threading.Event) -> None:
        if self._parameters.autostart and not self.node.bring_up():
            raise LaunchError("the trajectory controller was not started")
        while not stop.wait(WAKE_S):
            for loop in self._loops:
                if loop.failure is not None:
                    raise loop.failure

    def close(self) -> None:
        """The last command is one to stay where the commands have led."""
        self._deactivate()

    def _transition(self, name: str) -> TransitionCallbackReturn:
        if name == "activate":
            self._activate()
        elif name == "deactivate":
            self._deactivate()
        return TransitionCallbackReturn.SUCCESS

    def _activate(self) -> None:
        """Begin as after construction: no plan, no feedback, no authority of before; only a latched stop stays.

        `initial_mode` is for the first time only: who deactivated it had a reason, and has to give control again.
        """
        with self._lock:
            before, self._core = self._core.supervisor, self._new_core()
            if self._begun:
                self._core.request(Mode.HOLD, "activated anew", self._now())
            self._begun = True
            if before.authority is Mode.ESTOP:
                self._core.request(Mode.ESTOP, before.reason, self._now())
            self._interpolator.reset()
        self._active, self._last_words = True, ""
        if self._simulated:
            return
        given = self._parameters
        tick = PeriodicThread(self.contract.control_period_s, self._tick, given.realtime_priority, given.phase)
        self._loops = [tick]
        self.node.get_logger().info(f"{self.contract.control_rate_hz:g} Hz, scheduling: {tick.scheduling}")
        if given.setpoint_rate_hz:
            self._loops.append(PeriodicThread(1 / given.setpoint_rate_hz, self._send_setpoint, given.realtime_priority))

    def _deactivate(self) -> None:
        """Brake to rest, then send nothing more."""
        if not self._active:
            return
        with self._lock:
            if self._core.supervisor.authority is not Mode.ESTOP:
                self._core.request(Mode.HOLD, "deactivated", self._now())
            self._at_rest = False
        if self._simulated:
            self._tick(self._now())
        end = time.monotonic() + REST_S
        while self._loops and not self._at_rest and time.monotonic() < end:
            time.sleep(self.contract.control_period_s)
        self._active = False
        while self._loops:
            self._loops.pop().halt()

    def _on_clock(self) -> None:
        if self._active:
            self._tick(self._now())

    def _send_setpoint(self, _: int) -> None:
        now = self._now()
        with self._lock:
            setpoint = self._interpolator.at(now)
        if setpoint is not None:
            self._setpoint.publish(conversions.joint_state(self.contract, now, setpoint))

    def _now(self) -> int:
        return self.node.get_clock().now().nanoseconds

    def _tick(self, now: int) -> None:
        with self._lock:
            output = self._core.update(now)
            if output.restarted:
                self._interpolator.reset()
            if output.command is not None:
                self._interpolator.feed(now, output.command)
            self._at_rest = output.command is None or np.array_equal(output.command, self._last_command)
        if output.command is not None:
            self._last_command = output.command
            self._command.publish(conversions.joint_state(self.contract, now, output.command))
        self._status.publish(self._status_message(now, output))
        words = output.reason.translate(WITHOUT_DIGITS)  # distances change with every tick
        if words != self._last_words:
            self.node.get_logger().info(f"{output.mode.value}: {output.reason}")
            self._last_words = words

    def _status_message(self, now: int, output: ControlOutput) -> ControlStatus:
        return ControlStatus(
            header=conversions.to_header(now),
            mode=output.mode.value,
            chunk_age=output.chunk_age_s,
            limit_hits=self._core.limit_counts.commands,
            refused=sum(self._core.refused.values()),
            stale_holds=sum(self._core.holds.values()),
            reason=output.reason,
        )

    def _on_joints(self, message: JointState) -> None:
        try:
            positions = conversions.positions_of(message, self.contract)
            with self._lock:
                self._core.feed_joints(conversions.stamp_of(message), positions)
        except CommandError as error:
            self._warn(error)

    def _on_camera(self, name: str, message: CameraInfo) -> None:
        with self._lock:
            self._core.feed_camera(name, conversions.stamp_of(message))

    def _on_emergency_topic(self, _: Empty) -> None:
        self._emergency_stop("topic control/emergency_stop")

    def _on_emergency_service(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, self._emergency_stop("service control/emergency_stop")
        return response

    def _emergency_stop(self, reason: str) -> str:
        """Latch: the next command brakes. Returns what is latched, in words.

        A controller that is not active sends no command, but says so: a driver may be parking.
        """
        with self._lock:
            self._core.request(Mode.ESTOP, reason, self._now())
        if not self._active:
            latched = ControlOutput(None, Mode.ESTOP, self._core.supervisor.reason, float("nan"))
            self._status.publish(self._status_message(self._now(), latched))
        return f"latched ({self._core.supervisor.reason}); only control/set with reset_estop ends it"

    def _on_chunk(self, message: ActionChunk) -> None:
        try:
            chunk = conversions.chunk_of(message, self.contract)
            with self._lock:
                self._core.feed_chunk(chunk, self._now())
        except CommandError as error:
            self._refused(error)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        try:
            trajectory = conversions.trajectory_of(message, self.contract)
            with self._lock:
                self._core.feed_trajectory(trajectory, self._now())
        except CommandError as error:
            self._refused(error)

    def _refused(self, error: CommandError) -> None:
        self._core.count_refusal(error)
        self._warn(error)

    def _warn(self, error: Exception) -> None:
        self.node.get_logger().warning(str(error), throttle_duration_sec=1.0)

    def _on_set(self, request: SetControl.Request, response: SetControl.Response) -> SetControl.Response:
        reason = request.reason or "asked through control/set"
        if request.mode == Mode.ESTOP.value and not request.reset_estop:
            response.success, response.message = True, self._emergency_stop(reason)
            response.mode = Mode.ESTOP.value
            return response
        if not self._active:
            response.message = "the trajectory controller is not active; activate it (lifecycle)"
            return response
        with self._lock:
            try:
                mode = Mode(request.mode)
                if request.reset_estop and self._core.supervisor.authority is Mode.ESTOP:
                    self._core.clear_emergency_stop(reason, self._now())
                self._core.request(mode, reason, self._now())
                response.success = True
            except ValueError:
                response.message = f"unknown mode {request.mode!r}; known are {[mode.value for mode in Mode]}"
            except ModeError as error:
                response.message = str(error)
            response.mode = self._core.supervisor.authority.value
        return response

    def _diagnose(self) -> None:
        core, level = self._core, DiagnosticStatus.OK
        with self._lock:
            refused, holds, seams = dict(core.refused), dict(core.holds), tuple(core.seams)
        mode, reason = core.supervisor.commanding, core.supervisor.reason
        if mode is Mode.ESTOP or core.supervisor.authority is not mode:
            level = DiagnosticStatus.ERROR
        elif mode is Mode.HOLD:
            level = DiagnosticStatus.WARN
        if not self._active:
            level, reason = DiagnosticStatus.WARN, "not active"
        scheduling = self._loops[0].scheduling if self._loops else "driven by /clock" if self._simulated else "none"
        values: dict[str, object] = {"mode": mode.value, "scheduling": scheduling, "resyncs": core.resyncs}
        values |= {f"refused/{key}": count for key, count in refused.items()}
        values |= {f"holds/{key}": count for key, count in holds.items()}
        values |= {f"limits/{key}": count for key, count in vars(core.limit_counts).items()}
        values |= {f"age/{name}": age for name, age in core.cameras.ages_s(self._now()).items()}
        if seams:
            rate = self.contract.control_rate_hz
            values |= {"seam/position": max(seam.position for seam in seams)}
            values |= {"seam/velocity": max(seam.velocity for seam in seams) * rate}
            values |= {"seam/velocity_without_blending": max(seam.naive_velocity for seam in seams) * rate}
        if self._loops:
            values |= vars(self._loops[0].lateness())
        self._diagnostics.publish(runtime.diagnostics(self.node, level, reason, values))


def main() -> int:
    return runtime.run(TrajectoryControllerNode, realtime="realtime_priority")


if __name__ == "__main__":
    sys.exit(main())
