"""The driver of real or emulated Piper arms: `joint_command` in, `joint_states` out, over CAN.

A lifecycle node. configure: opens the CAN channels and waits for every arm. activate: enables the motors, the arms stay
where they are. deactivate: executes nothing more; the motors hold. cleanup: closes the channels. By itself (parameter
autostart) it configures and activates at the start. With read_only it reads, and never enables a motor (leader arms).
Subscribes: joint_command; bringup remaps it to joint_setpoint, the same commands interpolated to 200 Hz. When they
end, or are stale, the arms hold.
Also subscribes: control/emergency_stop and control/status, for parking is not the controller's: a stop ends it, and
while one is latched it does not begin. Where no controller has said anything, the topic stops commanded arms, too.
Publishes: joint_states (at the arms' rate, 200 Hz), contract (latched), /diagnostics (1 Hz); control/emergency_stop
once when a fault is latched, so that nobody goes on commanding arms that execute nothing.
Serves (std_srvs/Trigger): ~/park, ~/emergency_stop, ~/reset.
All decisions are those of rise_robot.hardware.piper_robot and rise_robot.core.command_guard.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, String
from std_srvs.srv import Trigger

from rise_msgs.msg import ControlStatus
from rise_robot.core.errors import HardwareError, JointCommandRefusedError, RiseRobotError
from rise_robot.core.velocity_estimator import VelocityEstimator
from rise_robot.hardware.can_reader import CanReader, Cycles
from rise_robot.hardware.piper_arm import ArmFeedback, PiperArm
from rise_robot.hardware.piper_joints import arms_of
from rise_robot.hardware.piper_port import PiperPort
from rise_robot.hardware.piper_robot import PARKED, PiperRobot, State
from rise_robot.nodes import conversions, driver_parameters, qos, runtime
from rise_robot.nodes.driver_diagnostics import DriverDiagnostics
from rise_robot.nodes.lifecycle import ManagedNode
from rise_robot.stop_signals import StopRequest

WAKE_S = 0.02
WATCH_S = 0.02
"""Arms that send nothing are looked after this often."""
BRAKING_S, SILENCE_S = 1.5, 0.25
"""Asked to stop, the driver follows commands for so long at most, and until none has come for so long."""


class PiperDriverNode:
    """Declares, wires, delegates. The thread that reads the arms also publishes and watches (`_look`)."""

    def __init__(self) -> None:
        self.node = node = ManagedNode("piper_driver", self._transition)
        self.contract = runtime.declare_contract(node)
        self._arms = arms_of(self.contract)
        self._parameters = driver_parameters.declare_all(node, self._arms)
        self._scheduling = runtime.ask_for_realtime(self._parameters.realtime_priority)  # before any thread is started
        self._stop = threading.Event()
        self._velocity = VelocityEstimator()
        self._robot: PiperRobot | None = None
        self._reader: CanReader | None = None
        self._command: JointState | None = None  # the newest, until it is executed
        self._commanded = 0.0
        self._watch_due, self._powered = 0.0, False
        self._said, self._faults, self._forgiven = "", 0, 0
        self._stop_all = node.create_publisher(Empty, "control/emergency_stop", qos.EVENT)
        self._joints = node.create_publisher(JointState, "joint_states", qos.SENSOR)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._contract_topic = node.create_publisher(String, "contract", qos.LATCHED)
        self._contract_topic.publish(String(data=self.contract.to_yaml()))
        self._report = DriverDiagnostics(self.contract.dh_convention, self._parameters.warm_c)
        self._commands = node.create_subscription(JointState, "joint_command", self._on_command, qos.COMMAND)
        self._control: ControlStatus | None = None
        node.create_subscription(Empty, "control/emergency_stop", self._on_stop, qos.EVENT)
        node.create_subscription(ControlStatus, "control/status", self._on_control, qos.LATCHED)
        node.create_timer(1.0, self._diagnose)
        for name, act in (("park", self._begin_parking), ("emergency_stop", PiperRobot.emergency_stop)):
            self._serve(name, act)
        self._serve("reset", PiperRobot.reset)

    def run(self, stop: StopRequest) -> None:
        self._stop = stop
        if self._parameters.autostart and not self.node.bring_up():
            raise HardwareError(f"not started: {self._said}")
        while not stop.wait(WAKE_S):
            if self._reader is not None and self._reader.failure is not None:
                raise self._reader.failure
        self._follow_to_rest()
        if self._robot is not None:
            self._park_at_the_end(self._robot, stop.again)

    def _follow_to_rest(self) -> None:
        """Whoever commands may be braking: `ros2 launch` interrupts all nodes at once."""
        end = time.monotonic() + BRAKING_S
        while self._robot is not None and time.monotonic() < min(end, self._commanded + SILENCE_S):
            time.sleep(WAKE_S)

    def close(self) -> None:
        """The motors hold the arms where they are, unless they were parked."""
        robot = self._robot
        if robot is None:
            return
        self.node.get_logger().info(f"closing: {robot.reason or 'the motors hold the arms where they are'}")
        self._transition("cleanup")

    def _park_at_the_end(self, robot: PiperRobot, again: threading.Event) -> None:
        """Where that is wanted, and to its end where somebody asked for it; a stop is still heard, and so is whoever
        asks `again` to end."""
        if self._parameters.park_on_shutdown and self._powered:
            self._park(robot)
        while robot.state is State.PARKING:
            if again.wait(WAKE_S):
                robot.hold("asked to end while parking")
            robot.check()

    def _park(self, robot: PiperRobot) -> None:
        """Whoever brought the driver up has deactivated it; the motors are still on. That does not undo a fault."""
        try:
            if robot.faults > self._forgiven:
                raise HardwareError(f"a fault was latched ({robot.reason}); the motors hold")
            if robot.state is State.READY:
                robot.activate()
            self._begin_parking(robot)
        except HardwareError as error:
            self.node.get_logger().error(f"not parked: {error}")

    def _begin_parking(self, robot: PiperRobot) -> None:
        control = self._control
        if control is not None and control.mode == ControlStatus.MODE_ESTOP:
            raise HardwareError(f"no parking: an emergency stop is latched ({control.reason}); clear it first")
        robot.park()

    def _on_stop(self, _: Empty) -> None:
        robot = self._robot
        if robot is not None and (self._control is None or robot.state is State.PARKING):
            robot.hold("emergency stop")

    def _on_control(self, message: ControlStatus) -> None:
        """By service, the stop reaches the controller alone."""
        self._control, robot = message, self._robot
        if message.mode == ControlStatus.MODE_ESTOP and robot is not None and robot.state is State.PARKING:
            robot.hold(f"emergency stop: {message.reason}")

    def _transition(self, name: str) -> TransitionCallbackReturn:
        """Carry out a lifecycle transition; a RiseRobotError fails it."""
        try:
            {
                "configure": self._configure,
                "activate": self._activate,
                "deactivate": lambda: self._robot and self._robot.deactivate(),
                "cleanup": self._cleanup,
            }[name]()
        except RiseRobotError as error:
            self._said = str(error)
            self.node.get_logger().error(f"{name}: {error}")
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        given, convention = self._parameters, self.contract.dh_convention
        with ExitStack() as opened:  # closes the channels again when one arm cannot be had
            arms = []
            for name in self._arms:
                port = PiperPort(given.interface, given.channels[name], convention, time.monotonic_ns)
                opened.callback(port.close)
                arms.append(PiperArm(name, port, given.arm_settings, self._stop.wait))
            robot = PiperRobot(
                self.contract, arms, time.monotonic_ns, given.guard, given.park_pose, given.park_velocity
            )
            reader = CanReader([arm.port for arm in arms], self._look)
            opened.callback(reader.close)
            robot.connect(self._stop.wait, given.connect_timeout_s)
            opened.pop_all()
        self._robot, self._reader, self._faults, self._forgiven = robot, reader, 0, 0

    def _activate(self) -> None:
        if self._robot is not None and not self._parameters.read_only:  # those are moved by hand, and never enabled
            self._robot.activate()
            self._powered, self._forgiven = True, self._robot.faults

    def _cleanup(self) -> None:
        (robot, self._robot), (reader, self._reader) = (self._robot, None), (self._reader, None)
        if reader is not None:
            reader.close()
        if robot is not None:
            robot.close()

    def _look(self, cycles: list[Cycles]) -> None:
        """Execute the newest command, watch, and publish what every arm has sent; called by the reading thread.

        One thread does all of it: two would pass Python's lock to and fro with every frame.
        """
        command, self._command = self._command, None
        robot = self._robot
        if robot is None:
            return
        if command is not None:
            self._execute(command, robot)
        if not cycles and time.monotonic() < self._watch_due:
            return
        self._watch_due = time.monotonic() + WATCH_S
        robot.check()
        if robot.faults > self._faults:
            self._faults = robot.faults
            self._stop_all.publish(Empty())
        self._powered = self._powered and robot.reason != PARKED
        self._say(f"{robot.state.value}{': ' if robot.reason else ''}{robot.reason}")
        for each in cycles:
            self._publish([arm.feedback(cycle) for arm, cycle in zip(robot.arms, each, strict=True)])

    def _publish(self, arms: list[ArmFeedback]) -> None:
        """Joint states of one cycle, stamped with the arrival of the earlier arm's last frame."""
        stamp = min(each.stamp_ns for each in arms)
        positions = np.concatenate([each.positions for each in arms])
        velocities = self._velocity.add(stamp, positions)
        if self._parameters.firmware_velocity:
            reported = np.concatenate([each.velocities for each in arms])
            velocities = np.where(reported != 0.0, reported, velocities)
        efforts = np.concatenate([each.efforts for each in arms])
        self._joints.publish(conversions.joint_state(self.contract, stamp, positions, velocities, efforts))

    def _on_command(self, message: JointState) -> None:
        self._command, self._commanded = message, time.monotonic()

    def _execute(self, message: JointState, robot: PiperRobot) -> None:
        try:
            positions = self._positions_of(message, robot)
            robot.execute(conversions.stamp_of(message), positions, self._now())
        except JointCommandRefusedError as error:
            self.node.get_logger().warning(f"refused ({error.reason}): {error}", throttle_duration_sec=1.0)

    def _now(self) -> int:
        return self.node.get_clock().now().nanoseconds

    def _positions_of(self, message: JointState, robot: PiperRobot) -> np.ndarray:
        """(A,) in contract order. A command for other joints, or for some of them, is refused whole, and counted."""
        if sorted(message.name) != sorted(self.contract.joint_names) or len(message.position) != len(message.name):
            text = f"{len(message.position)} positions for {list(message.name)}, expected {self.contract.joint_names}"
            error = JointCommandRefusedError("malformed", text)
            robot.guard.count(error)
            raise error
        return conversions.positions_of(message, self.contract)

    def _serve(self, name: str, act: Callable[[PiperRobot], None]) -> None:
        def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            try:
                if self._robot is None:
                    raise HardwareError("the driver is not configured")
                act(self._robot)
                response.success = True
            except HardwareError as error:
                response.message = str(error)
            return response

        self.node.create_service(Trigger, f"~/{name}", answer)

    def _say(self, text: str) -> None:
        """Log a state once, when it is entered."""
        if text == self._said:
            return
        self._said = text
        if self._robot is None or self._robot.state is State.FAULT:
            self.node.get_logger().error(text)
        else:
            self.node.get_logger().info(text)

    def _diagnose(self) -> None:
        if self._robot is None:
            level, message, values = DiagnosticStatus.WARN, "not configured", {}
        else:
            level, message, values = self._report.of(self._robot, self._now())
            values |= {"scheduling": self._scheduling, "follows": self._commands.topic_name}
        self._diagnostics.publish(runtime.diagnostics(self.node, level, message, values))


def main() -> int:
    return runtime.run(PiperDriverNode, realtime="realtime_priority")


if __name__ == "__main__":
    sys.exit(main())
