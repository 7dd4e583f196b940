"""The 30 Hz trajectory controller as a node: chunks and trajectories in, `joint_command` out.

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
from pathlib import Path

import rclpy.node
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Empty
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from rise_msgs.msg import ActionChunk, ControlStatus
from rise_msgs.srv import SetControl
from rise_robot.core.cell import Cell
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import config_path
from rise_robot.core.errors import CommandError, ModeError
from rise_robot.core.interpolation import CommandInterpolator
from rise_robot.core.pacing import Pacer, WallOffset, aligned_origin
from rise_robot.core.supervisor import Mode
from rise_robot.core.trajectory_controller import ControllerConfig, ControlOutput, TrajectoryController
from rise_robot.nodes import conversions, qos, runtime
from rise_robot.nodes.runtime import declare

SETPOINT_SLACK = 0.25
"""Periods by which a tick may be late before the setpoints of a driver show it."""


class TrajectoryControllerNode:
    """Wires topics to the core. In real time the loop has absolute deadlines; under use_sim_time /clock drives it."""

    def __init__(self) -> None:
        self.node = rclpy.node.Node("trajectory_controller")
        self.contract = runtime.declare_contract(self.node)
        self._priority = declare(
            self.node, "realtime_priority", 50, "SCHED_FIFO priority of the loop; 0: do not ask.", low=0, high=99
        )
        self._phase = declare(
            self.node, "phase", 0.4,
            "Ticks come this part of a period after whole multiples of it on the wall clock.", low=0.0, high=1.0,
        )  # fmt: skip
        self._setpoint_hz = declare(
            self.node, "setpoint_rate_hz", 0.0, "Rate of joint_setpoint, Hz; 0: none.", low=0.0, high=500.0
        )
        self._interpolator = CommandInterpolator(self.contract.control_period_s, SETPOINT_SLACK)
        initial = Mode(
            declare(self.node, "initial_mode", "hold", "Who has authority at the start: hold, demo, policy.")
        )
        self._lock = threading.Lock()
        self._core = TrajectoryController(self.contract, self._config(), initial, self._guard())
        self._scheduling, self._pacer = "driven by /clock", None
        self._last_reason = ""
        self._wire()

    def _config(self) -> ControllerConfig:
        default = ControllerConfig()
        return ControllerConfig(
            stop_after_s=declare(
                self.node, "stop_after_s", default.stop_after_s,
                "s without input until authority is withdrawn (controlled stop).", low=0.0, high=60.0,
            ),
            following_tolerance=declare(
                self.node, "following_tolerance", default.following_tolerance,
                "rad between measured and commanded joints that still counts as following.", low=0.01, high=6.0,
            ),
            following_periods=declare(
                self.node, "following_periods", default.following_periods,
                "Control periods outside following_tolerance until it counts.", low=1, high=300,
            ),
            jump_tolerance=declare(
                self.node, "jump_tolerance", default.jump_tolerance,
                "rad beyond max_velocity between two joint states; more is a jump.", low=0.01, high=6.0,
            ),
            resume_after_jump=declare(
                self.node, "resume_after_jump", default.resume_after_jump,
                "Keep authority after a feedback jump (a simulated robot that is reset). Never on a real robot.",
            ),
            following_delay_s=self._interpolator.trails_s if self._setpoint_hz else 0.0,
            watch_cameras=declare(
                self.node, "watch_cameras", True, "A policy commands only while every camera delivers."
            ),
            blend_steps=declare(
                self.node, "blend_steps", default.blend_steps,
                "Control steps after which a new chunk has replaced the plan; 0: where their overlap ends.",
                low=0, high=1000,
            ),
        )  # fmt: skip

    def _guard(self) -> ClearanceGuard | None:
        text = declare(
            self.node, "cell", "cell.yaml", "Workspace and arm clearance: a path, or a file name; empty: no guard."
        )
        if not text:
            self.node.get_logger().warning("no cell was given: the arms may leave the workspace and touch each other")
            return None
        return ClearanceGuard(self.contract, Cell.load(text if Path(text).is_file() else config_path(Path(text).name)))

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
            node.create_timer(self.contract.control_period_s, lambda: self._tick(self._now()))

    def run(self, stop: threading.Event) -> None:
        if self._simulated:
            runtime.wait(stop)
            return
        self._scheduling = runtime.ask_for_realtime(self._priority)
        self.node.get_logger().info(f"{self.contract.control_rate_hz:g} Hz, scheduling: {self._scheduling}")
        period = self.contract.control_period_s
        if self._setpoint_hz:
            threading.Thread(target=self._send_setpoints, args=(stop,), daemon=True).start()
        origin = aligned_origin(period, self._phase, time.time_ns(), time.monotonic_ns())
        self._pacer = Pacer(period, time.monotonic_ns, stop.wait, origin_ns=origin)
        wall = WallOffset(time.time_ns, time.monotonic_ns)
        while self._pacer.sleep():
            self._tick(wall.stamp(self._pacer.deadline_ns))  # when it was due: steps keep their phase to the robot's

    def _send_setpoints(self, stop: threading.Event) -> None:
        profile = qos.offered_command(self._setpoint_hz)
        publisher = self.node.create_publisher(JointState, "joint_setpoint", profile)
        runtime.ask_for_realtime(self._priority)
        pacer = Pacer(1.0 / self._setpoint_hz, time.monotonic_ns, stop.wait)
        while pacer.sleep():
            now = self._now()
            with self._lock:
                setpoint = self._interpolator.at(now)
            if setpoint is not None:
                publisher.publish(conversions.joint_state(self.contract, now, setpoint))

    def close(self) -> None:
        """The last command is one to stay where the commands have led."""
        with self._lock:
            if self._core.supervisor.authority is not Mode.ESTOP:
                self._core.request(Mode.HOLD, "shutting down", self._now())
        self._tick(self._now())

    def _now(self) -> int:
        return self.node.get_clock().now().nanoseconds

    def _tick(self, now: int) -> None:
        with self._lock:
            output = self._core.update(now)
            if output.restarted:
                self._interpolator.reset()
            if output.command is not None:
                self._interpolator.feed(now, output.command)
        if output.command is not None:
            self._command.publish(conversions.joint_state(self.contract, now, output.command))
        self._status.publish(self._status_message(now, output))
        if output.reason != self._last_reason:
            self.node.get_logger().info(f"{output.mode.value}: {output.reason}")
            self._last_reason = output.reason

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
        """Latch: the next command brakes. Returns what is latched, in words."""
        with self._lock:
            self._core.request(Mode.ESTOP, reason, self._now())
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
        mode, reason = core.supervisor.commanding, core.supervisor.reason
        if mode is Mode.ESTOP or core.supervisor.authority is not mode:
            level = DiagnosticStatus.ERROR
        elif mode is Mode.HOLD:
            level = DiagnosticStatus.WARN
        values: dict[str, object] = {"mode": mode.value, "scheduling": self._scheduling, "resyncs": core.resyncs}
        values |= {f"refused/{key}": count for key, count in core.refused.items()}
        values |= {f"holds/{key}": count for key, count in core.holds.items()}
        values |= {f"limits/{key}": count for key, count in vars(core.limit_counts).items()}
        values |= {f"age/{name}": age for name, age in core.cameras.ages_s(self._now()).items()}
        if seams := tuple(core.seams):
            rate = self.contract.control_rate_hz
            values |= {"seam/position": max(seam.position for seam in seams)}
            values |= {"seam/velocity": max(seam.velocity for seam in seams) * rate}
            values |= {"seam/velocity_without_blending": max(seam.naive_velocity for seam in seams) * rate}
        if self._pacer is not None:
            values |= vars(self._pacer.lateness())
        self._diagnostics.publish(runtime.diagnostics(self.node, level, reason, values))


def main() -> int:
    return runtime.run(TrajectoryControllerNode, realtime="realtime_priority")


if __name__ == "__main__":
    sys.exit(main())
