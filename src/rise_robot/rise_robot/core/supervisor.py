"""Who commands the robot, and why nobody does."""

from __future__ import annotations

from enum import StrEnum

from rise_robot.core.errors import ModeError


class Mode(StrEnum):
    """Command authority, as in rise_msgs/ControlStatus."""

    DEMO = "demo"  # joint trajectories of a demonstrator (teleoperation or scripted expert)
    POLICY = "policy"  # action chunks
    HUMAN = "human"  # joint trajectories of a person who corrects the policy
    HOLD = "hold"  # nobody: brake, then stay
    ESTOP = "estop"  # nobody, until the stop is cleared on purpose


TRAJECTORY_MODES = frozenset({Mode.DEMO, Mode.HUMAN})
START = "start"
"""The reason before anybody has asked for anything."""
STOPPED = "controlled stop"
"""How the reason begins once authority was withdrawn."""


class Supervisor:
    """Grants authority to one source at a time.

    - `request` hands authority over; out of a latched emergency stop it raises.
    - `emergency_stop` always works and latches; only `clear_emergency_stop` ends it, in HOLD.
    - `report(healthy=False)` suspends authority: nobody commands (`commanding` is HOLD) until the input is healthy
      again. When that lasts longer than `stop_after_s` the authority itself is withdrawn: the controlled stop, after
      which somebody must `request` again.

    Args:
        stop_after_s: from the first missing input to the controlled stop.
    """

    def __init__(self, stop_after_s: float, initial: Mode = Mode.HOLD) -> None:
        self._stop_after_ns = round(stop_after_s * 1e9)
        self._authority = initial
        self._reason = START
        self._fault = ""
        self._fault_since_ns: int | None = None
        self.stops = 0

    @property
    def authority(self) -> Mode:
        """To whom authority was granted."""
        return self._authority

    @property
    def commanding(self) -> Mode:
        """Who commands right now: the authority, or HOLD while its input is missing."""
        if self._authority is Mode.ESTOP:
            return Mode.ESTOP
        return Mode.HOLD if self._fault else self._authority

    @property
    def reason(self) -> str:
        """Why `commanding` is what it is."""
        return self._fault or self._reason

    def request(self, mode: Mode, reason: str) -> None:
        """Hand authority to `mode`.

        Raises:
            ModeError: an emergency stop is latched.
        """
        if mode is Mode.ESTOP:
            self.emergency_stop(reason)
            return
        if self._authority is Mode.ESTOP:
            raise ModeError(f"{mode.value} refused: emergency stop is latched ({self._reason}); clear it first")
        self._set(mode, reason)

    def emergency_stop(self, reason: str) -> None:
        """Latch; the first reason is kept."""
        if self._authority is not Mode.ESTOP:
            self._set(Mode.ESTOP, reason)

    def clear_emergency_stop(self, reason: str) -> None:
        """End a latched stop, in HOLD. Raises ModeError when none is latched."""
        if self._authority is not Mode.ESTOP:
            raise ModeError(f"no emergency stop to clear: mode is {self._authority.value}")
        self._set(Mode.HOLD, reason)

    def report(self, now_ns: int, fault: str) -> None:
        """Once per control period: what is wrong with the inputs of the authority; empty where nothing is."""
        self._fault = "" if self._authority in (Mode.HOLD, Mode.ESTOP) else fault
        if not self._fault:
            self._fault_since_ns = None
        elif self._fault_since_ns is None:
            self._fault_since_ns = now_ns
        elif now_ns - self._fault_since_ns >= self._stop_after_ns:
            self.stops += 1
            self._set(Mode.HOLD, f"{STOPPED}: {self._fault}")

    def _set(self, mode: Mode, reason: str) -> None:
        self._authority, self._reason = mode, reason
        self._fault, self._fault_since_ns = "", None
