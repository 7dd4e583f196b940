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
    Condition,
    Control,
    Move,
    Stop,
    faults_of,
)
from rise_robot.hardware.piper_port import GRIPPER_FRAME, JOINT_FRAMES, MOTOR_FRAMES, STATUS_FRAME, PiperPort
from rise_robot.sim.kinematics import PiperKinematics

MILLIDEGREES = 180_000 / np.pi  # per rad
POLL_S = 0.02
FEEDBACK = (*JOINT_FRAMES, GRIPPER_FRAME)


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

    def feedback(self) -> ArmFeedback:
        """The newest cycle; see `faults` for whether it is fresh."""
        joints = self._sdk.GetArmJointMsgs().joint_state
        grip = self._sdk.GetArmGripperMsgs().gripper_state
        motors = self._sdk.GetArmHighSpdInfoMsgs()
        fast = [getattr(motors, f"motor_{i}") for i in range(1, JOINTS + 1)]
        angles = [getattr(joints, f"joint_{i}") / MILLIDEGREES for i in range(1, JOINTS + 1)]
        return ArmFeedback(
            stamp_ns=self.port.cycle_ns,
            positions=np.array([*angles, grip.grippers_angle * 1e-6]),
            velocities=np.array([*(motor.motor_speed * 1e-3 for motor in fast), 0.0]),
            efforts=np.array([*(motor.effort * 1e-3 for motor in fast), grip.grippers_effort * 1e-3]),
        )

    def age_s(self) -> float:
        """Of the joint or gripper frame that has been missing longest."""
        return self.port.age_s(FEEDBACK)

    def motor_status(self) -> list[int]:
        """Status byte of each motor (6)."""
        motors = self._sdk.GetArmLowSpdInfoMsgs()
        return [getattr(motors, f"motor_{i}").foc_status_code for i in range(1, JOINTS + 1)]

    def temperatures(self) -> list[int]:
        """Degrees Celsius, the hotter of motor and driver, of each motor (6)."""
        motors = self._sdk.GetArmLowSpdInfoMsgs()
        each = [getattr(motors, f"motor_{i}") for i in range(1, JOINTS + 1)]
        return [max(motor.motor_temp, motor.foc_temp) for motor in each]

    def flange_error_m(self, convention: str) -> float:
        """Between the flange that the firmware reports and forward kinematics: shows a wrong dh_convention."""
        pose = self._sdk.GetArmEndPoseMsgs().end_pose
        reported = np.array([pose.X_axis, pose.Y_axis, pose.Z_axis]) * 1e-6
        frames = PiperKinematics(convention).link_transforms(self.feedback().positions[:JOINTS])
        return float(np.linalg.norm(frames[5, :3, 3] - reported))

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

    def disable(self) -> None:
        """Cut the motors' power: the arm drops where it is not resting. Raises HardwareError when it does not."""

        def is_off() -> bool:
            self.port.send(self._sdk.DisableArm, 7)
            return not any(status & ENABLED for status in self.motor_status())

        self.port.send(self._sdk.GripperCtrl, 0, 0, 0, 0)
        if not self._poll(is_off):
            raise HardwareError(f"{self.name}: motors are still enabled")

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

    def _condition(self, driven: bool) -> list[str]:
        status = self._sdk.GetArmStatus().arm_status
        condition, control, errors = int(status.arm_status), int(status.ctrl_mode), int(status.err_code)
        found = []
        if condition != Condition.NORMAL:
            known = {member.value: member.name.lower().replace("_", " ") for member in Condition}
            found.append(known.get(condition, f"condition {condition:#x}"))
        if errors:
            found.append(f"error bits {errors:#06x}")
        if driven and control != Control.CAN:
            found.append(f"control mode {control}, not {int(Control.CAN)} (CAN)")
        return found

    def _motor_faults(self, driven: bool) -> list[str]:
        found = []
        for motor, status in enumerate(self.motor_status(), 1):
            names = faults_of(status, MOTOR_FLAGS) + (["not enabled"] if driven and not status & ENABLED else [])
            found += [f"motor {motor} {name}" for name in names]
        gripper = self._sdk.GetArmGripperMsgs().gripper_state.status_code
        return found + [f"gripper {name}" for name in faults_of(gripper, GRIPPER_FLAGS)]
