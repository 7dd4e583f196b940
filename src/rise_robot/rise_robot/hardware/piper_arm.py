"""One Piper arm in SI units: feedback, health, commands, enable and disable, over the vendor's SDK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rise_robot.core.errors import HardwareError
from rise_robot.hardware.piper_messages import (
    ENABLED,
    GRIPPER_FLAGS,
    JOINTS,
    MOTOR_FLAGS,
    ArmStatus,
    Condition,
    Control,
    FlangePose,
    GripperFeedback,
    JointFeedback,
    MotorFast,
    MotorSlow,
    Move,
    Stop,
    faults_of,
)
from rise_robot.hardware.piper_port import (
    FAST_FRAMES,
    GRIPPER_FRAME,
    JOINT_FRAMES,
    MOTOR_FRAMES,
    POSE_FRAMES,
    STATUS_FRAME,
    Cycle,
    PiperPort,
)
from rise_robot.sim.kinematics import PiperKinematics

MILLIDEGREES = 180_000 / np.pi  # per rad
POLL_S = 0.02
FEEDBACK = (*JOINT_FRAMES, GRIPPER_FRAME)
EFFORT = np.array([1.18125] * 3 + [0.95844] * 3 + [1.0])
"""(7,) N m per A of the motors, as in the SDK; the gripper reports N m."""


@dataclass(frozen=True)
class ArmSettings:
    """How an arm is driven.

    Attributes:
        max_age_s: with older joint feedback no command is executed.
        lost_s: feedback that is missing for this long is a fault.
        speed_percent: of the firmware's own velocity limit; the contract's limits are kept by the controller.
        gripper_torque: N m, 0 to 5.
        enable_timeout_s: until all motors must report that they are enabled.
    """

    max_age_s: float = 0.1
    lost_s: float = 0.5
    speed_percent: int = 100
    gripper_torque: float = 1.0
    enable_timeout_s: float = 5.0


@dataclass(frozen=True)
class ArmFeedback:
    """One cycle of feedback: six joints and the gripper.

    Attributes:
        stamp_ns: arrival of its last frame, wall time.
        positions: (7,) rad, gripper m.
        velocities: (7,) rad/s as the motors report them, 0 where the firmware gives none and for the gripper.
        efforts: (7,) N m from the motors' currents; gripper N m.
    """

    stamp_ns: int
    positions: np.ndarray
    velocities: np.ndarray
    efforts: np.ndarray


class PiperArm:
    """One arm on one CAN channel.

    Args:
        name: "left" or "right", for messages.
        port: its connection.
        settings: how it is driven.
        wait: `wait(seconds)`, injected; true ends a wait early because the program is to end.
    """

    def __init__(self, name: str, port: PiperPort, settings: ArmSettings, wait: Callable[[float], bool | None]) -> None:
        self.name, self.port, self.settings = name, port, settings
        self._sdk, self._wait = port.sdk, wait

    def feedback(self, cycle: Cycle | None = None) -> ArmFeedback:
        """What a cycle said, the newest one where None is given; see `faults` for whether it is fresh."""
        cycle = cycle or self.port.newest()
        angles: list[float] = []
        for frame_id in JOINT_FRAMES:
            angles += cycle.message(frame_id, JointFeedback).positions
        grip = cycle.message(GRIPPER_FRAME, GripperFeedback)
        fast = [cycle.message(frame_id, MotorFast) for frame_id in FAST_FRAMES]
        return ArmFeedback(
            stamp_ns=cycle.stamp_ns,
            positions=np.array([*angles, grip.opening]),
            velocities=np.array([*(motor.velocity for motor in fast), 0.0]),
            efforts=np.array([*(motor.current for motor in fast), grip.torque]) * EFFORT,
        )

    def age_s(self) -> float:
        """Of the joint or gripper frame that has been missing longest."""
        return self.port.age_s(FEEDBACK)

    def motor_status(self) -> list[int]:
        """Status byte of each motor (6)."""
        return [motor.status for motor in self._motors()]

    def temperatures(self) -> list[int]:
        """Degrees Celsius, the hotter of motor and driver, of each motor (6)."""
        return [max(motor.motor_temperature, motor.driver_temperature) for motor in self._motors()]

    def flange_error_m(self, convention: str) -> float:
        """Between the flange that the firmware reports and forward kinematics: shows a wrong dh_convention."""
        (x, y), (z, _) = (self.port.newest().message(frame_id, FlangePose).values for frame_id in POSE_FRAMES[:2])
        frames = PiperKinematics(convention).link_transforms(self.feedback().positions[:JOINTS])
        return float(np.linalg.norm(frames[5, :3, 3] - np.array([x, y, z])))

    def missing(self) -> str:
        """What has not come for `lost_s`, or never; empty where everything does."""
        for what, frames in (("joint feedback", FEEDBACK), ("status", (STATUS_FRAME,)), ("motor report", MOTOR_FRAMES)):
            age = self.port.age_s(frames)
            if age > self.settings.lost_s:
                return f"{self.name}: no {what} for {age:.3f} s, at most {self.settings.lost_s:g} s"
        return ""

    def faults(self, *, driven: bool) -> list[str]:
        """What forbids motion, in words; empty where nothing does.

        Args:
            driven: also demand that the motors are enabled and that CAN commands the arm.
        """
        if missing := self.missing():
            return [missing]
        return [f"{self.name}: {fault}" for fault in self._condition(driven) + self._motor_faults(driven)]

    def enable(self) -> None:
        """Enable motors and gripper where they are, and let CAN command the joints: nothing moves.

        Raises:
            HardwareError: the arm reports a fault, or a motor is not enabled in time; names it.
        """
        faults = self.faults(driven=False)
        if faults:
            raise HardwareError(f"{'; '.join(faults)}. Not enabled; see docs/hardware.md")
        if not self._poll(self._enable_motors):
            missing = [i for i, status in enumerate(self.motor_status(), 1) if not status & ENABLED]
            raise HardwareError(
                f"{self.name}: motors {missing} not enabled within {self.settings.enable_timeout_s:g} s"
            )
        if not self._poll(self._take_command):
            raise HardwareError(f"{self.name}: CAN does not command the arm: {'; '.join(self.faults(driven=True))}")

    def command(self, positions: np.ndarray) -> None:
        """Go to `positions` (7,): rad, gripper opening in m. The caller has checked them."""
        angles = [round(float(angle) * MILLIDEGREES) for angle in positions[:JOINTS]]
        self.port.send(self._sdk.JointCtrl, *angles)
        torque = round(self.settings.gripper_torque * 1e3)
        self.port.send(self._sdk.GripperCtrl, round(float(positions[JOINTS]) * 1e6), torque, 1, 0)

    def emergency_stop(self) -> None:
        """The arm's own stop: it sinks slowly and takes no commands until `reset`."""
        self.port.send(self._sdk.MotionCtrl_1, int(Stop.STOP), 0, 0)

    def reset(self) -> None:
        """Forget errors and stops. The power is cut: the arm DROPS; somebody must hold it."""
        self.port.send(self._sdk.MotionCtrl_1, int(Stop.RESUME), 0, 0)

    def disable(self) -> bool:
        """Ask for the motors' power to be cut: the arm drops where it is not resting. True once they are off."""
        self.port.send(self._sdk.GripperCtrl, 0, 0, 0, 0)
        self.port.send(self._sdk.DisableArm, 7)
        return not any(status & ENABLED for status in self.motor_status())

    def _enable_motors(self) -> bool:
        self.port.send(self._sdk.EnableArm, 7)
        return all(status & ENABLED for status in self.motor_status())

    def _take_command(self) -> bool:
        """CAN joint mode, with the measured pose as the first target."""
        self.port.send(self._sdk.MotionCtrl_2, int(Control.CAN), int(Move.JOINT), self.settings.speed_percent, 0)
        self.command(self.feedback().positions)
        return not self.faults(driven=True)

    def _poll(self, done: Callable[[], bool]) -> bool:
        for _ in range(round(self.settings.enable_timeout_s / POLL_S)):
            if done():
                return True
            if self._wait(POLL_S):
                return False
        return False

    def _motors(self) -> list[MotorSlow]:
        newest = self.port.newest()
        return [newest.message(frame_id, MotorSlow) for frame_id in MOTOR_FRAMES]

    def _condition(self, driven: bool) -> list[str]:
        status = self.port.newest().message(STATUS_FRAME, ArmStatus)
        found = []
        if status.condition != Condition.NORMAL:
            known = {member.value: member.name.lower().replace("_", " ") for member in Condition}
            found.append(known.get(status.condition, f"condition {status.condition:#x}"))
        if status.errors:
            found.append(f"error bits {status.errors:#06x}")
        if driven and status.control != Control.CAN:
            found.append(f"control mode {status.control}, not {int(Control.CAN)} (CAN)")
        return found

    def _motor_faults(self, driven: bool) -> list[str]:
        found = []
        for motor, status in enumerate(self.motor_status(), 1):
            if status != ENABLED:
                names = faults_of(status, MOTOR_FLAGS) + (["not enabled"] if driven and not status & ENABLED else [])
                found += [f"motor {motor} {name}" for name in names]
        gripper = self.port.newest().message(GRIPPER_FRAME, GripperFeedback).status
        return found + [f"gripper {name}" for name in faults_of(gripper, GRIPPER_FLAGS)]
