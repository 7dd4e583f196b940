"""The last check before a joint command becomes motion: what is wrong in form, age, place or pace is refused whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import JointCommandRefusedError

LIMIT_SLACK = 1e-4
"""rad or m beyond a position limit that counts as rounding."""


@dataclass(frozen=True)
class GuardConfig:
    """Attributes of the guard that are not part of the contract.

    Attributes:
        max_age_s: an older command is stale.
        max_ahead_s: a command that is further in the future comes from another clock.
        timeout_s: without a command for this long, the next one has to engage anew, near the measured joints.
        engage_tolerance: rad between measured joints and a command that engages.
        engage_velocity: rad/s at which that distance is covered then (core/engagement.py).
        max_lag: rad between measured joints and any command.
        pace_tolerance: factor on max_velocity from command to command.
    """

    max_age_s: float = 0.1
    max_ahead_s: float = 0.05
    timeout_s: float = 0.2
    engage_tolerance: float = 0.1
    engage_velocity: float = 0.2
    max_lag: float = 0.6
    pace_tolerance: float = 1.2


class CommandGuard:
    """Accepts a command that continues the ones before at a possible pace, or that lies near the measured joints.

    Grippers are checked for their limits only: their force is bounded, and the firmware paces them.

    Attributes:
        refused: by reason.
        accepted: commands.
    """

    def __init__(self, contract: Contract, config: GuardConfig | None = None) -> None:
        self._names = contract.joint_names
        self.config = config or GuardConfig()
        self._lower, self._upper = contract.joint_array("lower"), contract.joint_array("upper")
        self._max_velocity = contract.joint_array("max_velocity")
        self._revolute = np.array([joint.unit == "rad" for joint in contract.joints])
        self._last: tuple[int, int, np.ndarray] | None = None  # stamp, arrival, command
        self.refused: Counter[str] = Counter()
        self.accepted = 0

    def forget(self) -> None:
        """The next command has to engage."""
        self._last = None

    def age_s(self, now_ns: int) -> float:
        """Since the last accepted command arrived; infinite where there is none."""
        return float("inf") if self._last is None else (now_ns - self._last[1]) * 1e-9

    def check(self, stamp_ns: int, positions: np.ndarray, measured: np.ndarray, now_ns: int) -> bool:
        """Accept a command (A,) given measured joints (A,), or raise. Whether it engages: it continues none before.

        Raises:
            JointCommandRefusedError: with the reason, which is counted; nothing else changes.
        """
        engages = self._last is None or self.age_s(now_ns) > self.config.timeout_s
        try:
            self._check_form(stamp_ns, positions, now_ns)
            self._check_pace(stamp_ns, positions, measured, engages)
        except JointCommandRefusedError as error:
            self.count(error)
            raise
        self._last = (stamp_ns, now_ns, positions.copy())
        self.accepted += 1
        return engages

    def count(self, error: JointCommandRefusedError) -> None:
        """Count a refusal that was decided elsewhere."""
        self.refused[error.reason] += 1

    def _check_form(self, stamp_ns: int, positions: np.ndarray, now_ns: int) -> None:
        if positions.shape != self._lower.shape or not np.isfinite(positions).all():
            raise JointCommandRefusedError("not_finite", f"{positions} is not {len(self._lower)} finite numbers")
        age = (now_ns - stamp_ns) * 1e-9
        if age > self.config.max_age_s:
            raise JointCommandRefusedError("stale", f"command is {age:.3f} s old, at most {self.config.max_age_s:g} s")
        if age < -self.config.max_ahead_s:
            raise JointCommandRefusedError("future", f"command is stamped {-age:.3f} s ahead: are the clocks in step?")
        if self._last is not None and stamp_ns <= self._last[0]:
            raise JointCommandRefusedError("out_of_order", "command is not newer than the last one")
        outside = (positions < self._lower - LIMIT_SLACK) | (positions > self._upper + LIMIT_SLACK)
        if outside.any():
            raise JointCommandRefusedError("out_of_limits", f"beyond the limits: {self._name(outside, positions)}")

    def _check_pace(self, stamp_ns: int, positions: np.ndarray, measured: np.ndarray, engages: bool) -> None:
        lag = np.abs(positions - measured)
        far = (lag > self.config.max_lag) & self._revolute
        if far.any():
            raise JointCommandRefusedError(
                "too_far", f"over {self.config.max_lag:g} rad from the measured joints: {self._name(far, lag)}"
            )
        if (lag <= self.config.engage_tolerance)[self._revolute].all():
            return
        if self._last is None or engages:
            wide = (lag > self.config.engage_tolerance) & self._revolute
            tolerance = self.config.engage_tolerance
            raise JointCommandRefusedError("jump", f"begins over {tolerance:g} rad off: {self._name(wide, lag)}")
        way = np.abs(positions - self._last[2])
        reach = self.config.pace_tolerance * self._max_velocity * (stamp_ns - self._last[0]) * 1e-9
        fast = (way > reach + LIMIT_SLACK) & self._revolute
        if fast.any():
            raise JointCommandRefusedError("jump", f"faster than max_velocity: {self._name(fast, way)}")

    def _name(self, which: np.ndarray, values: np.ndarray) -> str:
        return ", ".join(f"{self._names[i]} {values[i]:.3f}" for i in np.flatnonzero(which))
