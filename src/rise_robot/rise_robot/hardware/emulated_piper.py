"""An emulated AgileX Piper: answers the CAN frames of a commander as the arm's firmware does. No bus, no clock.

Callers hand over what arrives (`receive`) and collect what the arm sends (`step`, once per period of 5 ms). What it
imitates: motors that are enabled late and, after a reset, only by the second command; commands that count only in CAN
joint mode, while enabled and within the joint limits; the emergency stop, under which the arm sinks, and the resume,
which cuts the power.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from rise_robot.hardware.emulated_faults import FAULT_ID, Fault, FaultState
from rise_robot.hardware.emulated_feedback import feedback
from rise_robot.hardware.emulated_plant import LOWER, REST, UPPER, EmulatedPlant
from rise_robot.hardware.piper_frames import Frame, decode, encode
from rise_robot.hardware.piper_messages import (
    JOINTS,
    Condition,
    Control,
    EnableCommand,
    FirmwareFrame,
    GripperCommand,
    JointCommand,
    Message,
    MitCommand,
    ModeCommand,
    Move,
    Stop,
    StopCommand,
)

PERIOD_S = 0.005
SLOW_EVERY = 5
"""Periods between two frames of temperatures and voltages: 40 Hz."""
ENABLE_S = 0.1
FIRMWARE = (b"H-V1.2-1", b"S-V1.8-5")


class EmulatedPiper:
    """One arm.

    Attributes:
        plant: joints and gripper.
        faults: what is broken.
        control, move, condition: as in the status frame.
        received: commands by kind, for people who test a driver.

    Args:
        positions: (6,) rad at power-on.
        convention: Denavit-Hartenberg offsets of its firmware, for the flange pose it reports.
        reports_velocity: false for firmware that leaves the motors' velocities 0.
        uniform: random numbers in [0, 1) for lost frames.
    """

    def __init__(
        self,
        positions: np.ndarray = REST,
        convention: str = "current",
        reports_velocity: bool = False,
        uniform: Callable[[], float] | None = None,
    ) -> None:
        self.plant = EmulatedPlant(positions)
        self.convention, self.reports_velocity = convention, reports_velocity
        self.faults = FaultState(uniform or random.Random(0).random)
        self.received: dict[str, int] = {}
        self.control, self.move, self.condition = Control.STANDBY, Move.JOINT, Condition.NORMAL
        self.speed, self.gripper_enabled = 0.0, False
        self.targets, self.opening = self.plant.positions.copy(), self.plant.opening
        self._enable_in = np.full(JOINTS, np.inf)  # s until a motor is enabled; 0: it is
        self._missing_enables = 0
        self._periods = 0
        self._answers: list[Frame] = []

    @property
    def enabled(self) -> np.ndarray:
        """(6,) bool."""
        return (self._enable_in <= 0.0) & ~np.isin(np.arange(1, JOINTS + 1), list(self.faults.dead))

    def receive(self, frame: Frame) -> None:
        """Take one frame of the bus; those of other arms' feedback and unknown ones mean nothing to it."""
        if frame.id == FAULT_ID:
            self._inject(Fault.from_frame(frame))
            return
        message = decode(frame)
        if message is None or self.faults.silent:
            return
        name = type(message).__name__
        self.received[name] = self.received.get(name, 0) + 1
        self._obey(message)

    def step(self) -> list[Frame]:
        """Live one period; the frames that the arm sends at its end."""
        self._enable_in -= PERIOD_S
        if self.condition is Condition.EMERGENCY_STOP:
            self.plant.sink(self.enabled, PERIOD_S)
        else:
            self.plant.track(self.targets, self.enabled, self.speed, PERIOD_S)
        if self.gripper_enabled:
            self.plant.grip(self.opening, PERIOD_S)
        frames = [encode(message) for message in feedback(self, slow=self._periods % SLOW_EVERY == 0)]
        frames, self._answers = frames + self._answers, []
        self._periods += 1
        return [frame for frame in frames if not self.faults.loses(frame.id)]

    def _obey(self, message: Message) -> None:
        match message:
            case StopCommand(stop) if stop == Stop.STOP:
                self.condition = Condition.EMERGENCY_STOP
            case StopCommand(stop) if stop == Stop.RESUME:
                self._reset()
            case ModeCommand(control, move, speed) if self.control is not Control.TEACHING:
                self.control, self.move, self.speed = Control(control), Move(move), speed / 100
            case EnableCommand(motor, enable):
                self._switch(motor, enable)
            case JointCommand(pair, positions) if self._listens(Move.JOINT):
                self._aim(slice(2 * pair, 2 * pair + 2), np.array(positions))
            case MitCommand(motor, position) if self._listens(Move.MIT):
                self._aim(slice(motor - 1, motor), np.array([position]))
            case GripperCommand(opening, _, code):
                self.gripper_enabled, self.opening = code in (1, 3), opening
            case FirmwareFrame(text) if text[0] == 1:
                self._answers += [encode(FirmwareFrame(part)) for part in FIRMWARE]

    def _listens(self, move: Move) -> bool:
        return self.control is Control.CAN and self.move is move and self.condition is not Condition.EMERGENCY_STOP

    def _aim(self, joints: slice, positions: np.ndarray) -> None:
        """Targets beyond a joint limit are refused, and the status says so until one comes that is not."""
        if ((positions < LOWER[joints] - 1e-3) | (positions > UPPER[joints] + 1e-3)).any():
            self.condition = Condition.TARGET_OUT_OF_RANGE
            return
        if self.condition is Condition.TARGET_OUT_OF_RANGE:
            self.condition = Condition.NORMAL
        self.targets[joints] = positions

    def _switch(self, motor: int, enable: bool) -> None:
        motors = slice(0, JOINTS) if motor == 7 else slice(motor - 1, motor)
        if not enable:
            self._enable_in[motors] = np.inf
            return
        if self._missing_enables:
            self._missing_enables -= 1
            return
        if not self.enabled.any():
            self.targets = self.plant.positions.copy()  # an arm that wakes up stays where it is
        self._enable_in[motors] = np.minimum(self._enable_in[motors], ENABLE_S)

    def _reset(self) -> None:
        """Resume: power off, all errors forgotten; the next enable command is swallowed."""
        self._enable_in[:] = np.inf
        self.gripper_enabled = False
        self.control, self.condition, self._missing_enables = Control.STANDBY, Condition.NORMAL, 1

    def _inject(self, fault: Fault) -> None:
        match fault.kind:
            case "clear":
                self.faults.clear()
                self.plant.stuck[:] = False
                self.condition = Condition.NORMAL
                self.control = Control.STANDBY if self.control is Control.TEACHING else self.control
            case "drop":
                self.faults.drop = fault.number / 100
            case "silence":
                self.faults.silent = True
            case "dead_motor":
                self.faults.dead.add(fault.number)
                self.condition = Condition.JOINT_COMMUNICATION
            case "lost_pair":
                self.faults.lost_pairs.add(fault.number)
            case "stuck":
                self.plant.stuck[fault.number - 1] = True
            case "overheat":
                self.faults.overheated.add(fault.number)
            case "estop":
                self.condition = Condition.EMERGENCY_STOP
            case "teach":
                self.control = Control.TEACHING
