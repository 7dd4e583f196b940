"""Joint feedback: the newest measurement, its age, and whether it can be true."""

from __future__ import annotations

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import CommandError


class FeedbackMonitor:
    """Keeps the newest joint positions and notices jumps that no motor can make.

    Args:
        contract: joint names, units and max_velocity.
        jump_tolerance: rad beyond max_velocity times the time between two measurements (prismatic joints: not checked,
            their whole stroke is shorter than the tolerance).
    """

    def __init__(self, contract: Contract, jump_tolerance: float) -> None:
        self._contract = contract
        self._tolerance = jump_tolerance
        self._positions = np.zeros(contract.action_dim)
        self._stamp_ns: int | None = None

    @property
    def known(self) -> bool:
        return self._stamp_ns is not None

    @property
    def positions(self) -> np.ndarray:
        """(A,) rad; gripper in m."""
        return self._positions.copy()

    def age_s(self, now_ns: int) -> float:
        return float("inf") if self._stamp_ns is None else (now_ns - self._stamp_ns) * 1e-9

    def feed(self, stamp_ns: int, positions: np.ndarray) -> str:
        """Take a measurement (A,); return the names of joints that jumped, "" where none did.

        Raises:
            CommandError: wrong shape, not finite, or older than the last one; the state is unchanged.
        """
        positions = np.asarray(positions, dtype=float)
        if positions.shape != self._positions.shape or not np.isfinite(positions).all():
            raise CommandError(f"joint feedback {positions} is not {len(self._positions)} finite numbers")
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            raise CommandError(f"joint feedback of {stamp_ns} ns is older than the last one of {self._stamp_ns} ns")
        jumped = self._jumped(stamp_ns, positions)
        self._stamp_ns, self._positions = stamp_ns, positions.copy()
        return jumped

    def _jumped(self, stamp_ns: int, positions: np.ndarray) -> str:
        if self._stamp_ns is None:
            return ""
        elapsed = (stamp_ns - self._stamp_ns) * 1e-9
        moved = np.abs(positions - self._positions)
        names = [
            joint.name
            for joint, way in zip(self._contract.joints, moved, strict=True)
            if joint.unit == "rad" and way > joint.max_velocity * elapsed + self._tolerance
        ]
        return ", ".join(names)
