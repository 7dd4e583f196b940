"""What the Piper driver says about itself once a second."""

from __future__ import annotations

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from rise_robot.hardware.piper_arm import PiperArm
from rise_robot.hardware.piper_robot import PiperRobot, State

FLANGE_MM = 3.0
"""Further apart, the arm has other theta offsets than the contract's dh_convention, or is not calibrated."""


class DriverDiagnostics:
    """Rates are those since the last call.

    Args:
        convention: `contract.dh_convention`.
        warm_c: degrees Celsius from which a motor is reported.
    """

    def __init__(self, convention: str, warm_c: int) -> None:
        self._convention, self._warm_c = convention, warm_c
        self._before: dict[str, tuple[int, int]] = {}  # time and count

    def of(self, robot: PiperRobot, now_ns: int) -> tuple[bytes, str, dict[str, object]]:
        """Level, message and values; `now_ns` on the clock that commands are checked against."""
        values: dict[str, object] = {
            "state": robot.state.value,
            "faults": robot.faults,
            "commands": robot.guard.accepted,
            "command_rate_hz": self._rate("commands", robot.guard.accepted, now_ns),
            "command_age_s": robot.guard.age_s(now_ns),
        }
        values |= {f"refused/{reason}": count for reason, count in sorted(robot.guard.refused.items())}
        remarks = []
        for arm in robot.arms:
            remarks += self._arm(arm, now_ns, values)
        if robot.state is State.FAULT:
            return DiagnosticStatus.ERROR, robot.reason, values
        if robot.state is not State.ACTIVE:
            remarks.insert(0, f"{robot.state.value}: {robot.reason or 'motors are not commanded'}")
        elif robot.guard.age_s(now_ns) > robot.guard.config.timeout_s:
            remarks.insert(0, "no command: the arms hold")
        level = DiagnosticStatus.WARN if remarks else DiagnosticStatus.OK
        return level, "; ".join(remarks) or "active", values

    def _arm(self, arm: PiperArm, now_ns: int, values: dict[str, object]) -> list[str]:
        """Add the values of one arm; what people should know about it."""
        temperatures, flange_mm = arm.temperatures(), 1e3 * arm.flange_error_m(self._convention)
        firmware = arm.port.firmware()
        values |= {
            f"{arm.name}/rate_hz": self._rate(arm.name, arm.port.cycle, now_ns),
            f"{arm.name}/age_ms": 1e3 * arm.age_s(),
            f"{arm.name}/firmware": firmware or "unknown",
            f"{arm.name}/temperatures_c": " ".join(map(str, temperatures)),
            f"{arm.name}/motor_status": " ".join(f"{status:#04x}" for status in arm.motor_status()),
            f"{arm.name}/flange_error_mm": flange_mm,
            f"{arm.name}/send_failures": arm.port.failed,
            f"{arm.name}/unread_frames": arm.port.unread,
            f"{arm.name}/bus_errors": arm.port.bus_errors,
        }
        remarks = arm.faults(driven=False)
        remarks += [f"{arm.name}: motor {i} {t} C" for i, t in enumerate(temperatures, 1) if t >= self._warm_c]
        if flange_mm > FLANGE_MM:
            remarks.append(f"{arm.name}: flange {flange_mm:.1f} mm off: is dh_convention {self._convention} right?")
        return remarks

    def _rate(self, name: str, count: int, now_ns: int) -> float:
        before = self._before.get(name, (now_ns, count))
        self._before[name] = (now_ns, count)
        elapsed = (now_ns - before[0]) * 1e-9
        return float((count - before[1]) / elapsed) if elapsed > 0 else float(np.nan)
