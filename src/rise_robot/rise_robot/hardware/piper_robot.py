"""All arms of the contract as one robot: it moves on good commands while everything is healthy, and otherwise stays.

    DISCONNECTED --connect--> READY --activate--> ACTIVE --park--> PARKING --> READY (motors off)
                                ^                    |
                                +----deactivate------+--any fault--> FAULT (latched) --deactivate--> READY

Motors are switched off only by `park`, when the arms rest, because an arm without power drops. In FAULT no command is
executed, by no arm, and nothing is sent: arms that still listen hold their last target.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NoReturn

import numpy as np

from rise_robot.core.command_guard import CommandGuard, GuardConfig
from rise_robot.core.contract import Contract
from rise_robot.core.engagement import Engagement
from rise_robot.core.errors import HardwareError, JointCommandRefusedError
from rise_robot.hardware.parking import Parking
from rise_robot.hardware.piper_arm import ArmFeedback, PiperArm

PARKED = "parked, motors off"


class State(StrEnum):
    """Of the robot; see the module's docstring."""

    DISCONNECTED = "disconnected"
    READY = "ready"
    ACTIVE = "active"
    PARKING = "parking"
    FAULT = "fault"


class PiperRobot:
    """Commands and feedback of all arms, in the order of the contract.

    Attributes:
        arms: in the order of the contract.
        state: see the module's docstring.
        reason: of the last fault; kept until the robot is active again.
        guard: counts what was refused.
        faults: how often a fault was latched.

    Args:
        contract: joints and limits.
        arms: one per seven joints of the contract.
        clock_ns: the monotonic clock that the arms' ports use.
        park_pose: (6,) rad, where an arm rests without power; the grippers stay as they are.

    Raises:
        HardwareError: the parking pose is out of an arm's limits.
    """

    def __init__(
        self,
        contract: Contract,
        arms: Sequence[PiperArm],
        clock_ns: Callable[[], int],
        guard: GuardConfig | None = None,
        park_pose: np.ndarray | None = None,
        park_velocity: float = 0.3,
    ) -> None:
        self.contract, self.arms, self._clock_ns = contract, tuple(arms), clock_ns
        self.guard = CommandGuard(contract, guard)
        self._engagement = Engagement(contract, self.guard.config.engage_velocity)
        self.state, self.reason, self.faults = State.DISCONNECTED, "", 0
        self._park_pose = np.zeros(6) if park_pose is None else np.asarray(park_pose, float)
        self._park_velocity = park_velocity
        self._require_within_limits(self._park_pose)
        self._parking: Parking | None = None
        self._off_by_ns: int | None = None  # when the motors of parked arms must be off
        self._lock = threading.RLock()

    def _require_within_limits(self, park_pose: np.ndarray) -> None:
        for number, arm in enumerate(self.arms):
            for angle, joint in zip(park_pose, self.contract.joints[7 * number :], strict=False):
                if not joint.lower <= angle <= joint.upper:
                    raise HardwareError(
                        f"park_pose {park_pose.tolist()} takes {joint.name} ({arm.name}) to {angle:g} rad, out of its "
                        f"limits {joint.lower:g} to {joint.upper:g}; it is in rad"
                    )

    def connect(self, wait: Callable[[float], bool | None], timeout_s: float) -> None:
        """Wait until every arm has sent every kind of frame. Raises HardwareError saying what is missing."""
        for _ in range(max(round(timeout_s / 0.05), 1)):
            missing = [arm.missing() for arm in self.arms if arm.missing()]
            if not missing or wait(0.05):
                break
        if missing:
            raise HardwareError(
                f"{'; '.join(missing)}, waited {timeout_s:g} s: is the arm powered, is the channel up at 1 Mbit/s, "
                f"is it the right channel?"
            )
        self.state = State.READY

    def activate(self) -> None:
        """Enable all motors where the arms are; nothing moves. Raises HardwareError; then no arm is commanded."""
        if self.state is not State.READY:
            raise HardwareError(f"only a robot that is ready can be activated, it is {self.state.value}: {self.reason}")
        for arm in self.arms:  # takes seconds: feedback goes on meanwhile, and commands are refused
            arm.enable()
        with self._lock:
            self.guard.forget()
            self.state, self.reason = State.ACTIVE, ""

    def deactivate(self) -> None:
        """Execute nothing more; the motors hold. Also the way out of a latched fault."""
        with self._lock:
            self._parking = self._off_by_ns = None
            if self.state is not State.DISCONNECTED:
                self.state = State.READY

    def execute(self, stamp_ns: int, positions: np.ndarray, now_ns: int) -> None:
        """Send a command (A,) to all arms, or refuse it whole. One that engages is approached slowly.

        Args:
            stamp_ns, now_ns: on the clock of the sender (ROS time).

        Raises:
            JointCommandRefusedError: nothing was sent; the reason is counted.
        """
        with self._lock:
            self.check()
            if self.state is not State.ACTIVE:
                reason = "fault" if self.state is State.FAULT else "not_active"
                self._refuse(reason, f"{self.state.value}: {self.reason or 'activate the driver'}")
            self._require_feedback()
            measured = self.positions()
            if self.guard.check(stamp_ns, positions, measured, now_ns):
                self._engagement.begin(stamp_ns, positions, measured)
            self._command(self._engagement.target(stamp_ns, positions))

    def check(self) -> None:
        """Latch a fault of any arm while the robot is driven, and go on parking; call it at feedback rate."""
        with self._lock:
            if self.state not in (State.ACTIVE, State.PARKING):
                return
            driven = self._off_by_ns is None
            found = [fault for arm in self.arms for fault in arm.faults(driven=driven)]
            if found:
                self._latch("; ".join(found))
            elif self._off_by_ns is not None:
                self._switch_off(self._off_by_ns)
            elif self._parking is not None:
                self._continue_parking(self._parking)

    def park(self) -> None:
        """Begin to move all arms slowly, on straight lines in joint space, to where they rest; then motors off.

        Raises HardwareError unless the robot is active. The way has to be free: nothing looks for obstacles.
        """
        with self._lock:
            if self.state is not State.ACTIVE:
                raise HardwareError(f"parking needs an active robot, it is {self.state.value}: {self.reason}")
            goal = self.positions()
            for i in range(len(self.arms)):
                goal[7 * i : 7 * i + 6] = self._park_pose
            self._parking = Parking(self.positions(), goal, self._park_velocity, self._clock_ns())
            self.state = State.PARKING

    def hold(self, reason: str) -> None:
        """Send nothing more, neither commands nor the rest of the way to the parking pose: a latched fault, the motors
        hold. Nothing to do where the arms are not driven."""
        with self._lock:
            if self.state in (State.ACTIVE, State.PARKING):
                self._latch(reason)

    def emergency_stop(self) -> None:
        """The arms' own stop, for all of them, and a latched fault."""
        for arm in self.arms:
            arm.emergency_stop()
        with self._lock:
            self._latch("emergency stop")

    def reset(self) -> None:
        """End the arms' own stop. They DROP; then activate again. Raises HardwareError while the robot is active."""
        with self._lock:
            if self.state in (State.ACTIVE, State.PARKING):
                raise HardwareError(f"reset drops the arms; it is refused while the robot is {self.state.value}")
            for arm in self.arms:
                arm.reset()

    def feedback(self) -> list[ArmFeedback]:
        """The newest cycle of each arm."""
        return [arm.feedback() for arm in self.arms]

    def positions(self) -> np.ndarray:
        """(A,) rad, grippers m, as measured."""
        return np.concatenate([each.positions for each in self.feedback()])

    def cycles(self) -> tuple[int, ...]:
        """Number of the newest feedback cycle of each arm."""
        return tuple(arm.port.cycle for arm in self.arms)

    def close(self) -> None:
        """Close the buses; motors stay as they are."""
        with self._lock:
            self.state = State.DISCONNECTED
            for arm in self.arms:
                arm.port.close()

    def _command(self, target: np.ndarray) -> None:
        for arm, part in zip(self.arms, np.split(target, len(self.arms)), strict=True):
            arm.command(part)

    def _require_feedback(self) -> None:
        """A gap is no fault yet, but nothing moves in it, and what comes after it has to engage anew."""
        for arm in self.arms:
            if arm.age_s() > arm.settings.max_age_s:
                self.guard.forget()
                self._refuse("no_feedback", f"{arm.name}: no joint feedback for {arm.age_s():.3f} s")

    def _refuse(self, reason: str, text: str) -> NoReturn:
        error = JointCommandRefusedError(reason, text)
        self.guard.count(error)
        raise error

    def _latch(self, reason: str) -> None:
        self._parking = self._off_by_ns = None
        self.faults += self.state is not State.FAULT
        self.state, self.reason = State.FAULT, reason

    def _continue_parking(self, parking: Parking) -> None:
        target, error = parking.advance(self._clock_ns(), self.positions())
        if error:
            self._latch(error)
        elif target is not None:
            self._command(target)
        elif parking.arrived:
            self._off_by_ns = self._clock_ns() + round(1e9 * max(arm.settings.enable_timeout_s for arm in self.arms))

    def _switch_off(self, by_ns: int) -> None:
        """Ask again with every check, until all motors report that they are off."""
        off = [arm.disable() for arm in self.arms]
        if all(off):
            self._parking = self._off_by_ns = None
            self.state, self.reason = State.READY, PARKED
        elif self._clock_ns() > by_ns:
            on = [arm.name for arm, is_off in zip(self.arms, off, strict=True) if not is_off]
            self._latch(f"{', '.join(on)}: motors are still enabled")
