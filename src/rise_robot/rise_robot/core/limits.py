"""Position, velocity and acceleration limits of the contract: the last thing every command passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import CommandError


def braking_velocity(distance: np.ndarray, max_acceleration: np.ndarray, period: float) -> np.ndarray:
    """Largest velocity for the next period from which a stop within `distance` is still possible.

    With h = a T the velocities v, v - h, v - 2h, ... are held for one period each, so the way to standstill is
    D(v) = T ((m + 1) v - h m (m + 1) / 2) with m = floor(v / h). This is the exact inverse of D.

    Args:
        distance: (A,) >= 0, rad or m.
        max_acceleration: (A,) per s^2.
        period: control period, s.
    """
    h = max_acceleration * period
    m = np.floor((np.sqrt(1.0 + 8.0 * distance / (h * period)) - 1.0) / 2.0)
    velocity: np.ndarray = (distance / period + h * m * (m + 1) / 2.0) / (m + 1)
    return velocity


@dataclass
class LimitCounts:
    """How often commands were changed since activation; the kinds count joints, `commands` counts whole vectors."""

    commands: int = 0
    position: int = 0
    velocity: int = 0
    acceleration: int = 0


class CommandLimiter:
    """Follows targets exactly where the limits allow it, and as closely as they allow elsewhere.

    Its commands never leave the position range, never move faster than max_velocity and never change velocity by more
    than max_acceleration times the period; to keep all three, it brakes ahead of the position limits. A target out of
    reach is approached without overshoot.
    """

    def __init__(self, contract: Contract) -> None:
        self._period = contract.control_period_s
        self._lower, self._upper = contract.joint_array("lower"), contract.joint_array("upper")
        self._max_v, self._max_a = contract.joint_array("max_velocity"), contract.joint_array("max_acceleration")
        self._names = contract.joint_names
        self._position = np.clip(np.zeros_like(self._lower), self._lower, self._upper)
        self._velocity = np.zeros_like(self._lower)
        self._target = self._position
        self.counts = LimitCounts()

    @property
    def position(self) -> np.ndarray:
        """(A,) the last command."""
        copy: np.ndarray = self._position.copy()
        return copy

    @property
    def velocity(self) -> np.ndarray:
        """(A,) velocity of the last command, per s."""
        return self._velocity.copy()

    def reset(self, measured: np.ndarray) -> np.ndarray:
        """Start at standstill from a measured position, moved into the position range; return that command (A,)."""
        self._position = np.clip(self._checked(measured), self._lower, self._upper)
        self._velocity, self._target = np.zeros_like(self._position), self._position
        return self.position

    def follow(self, target: np.ndarray, moving: np.ndarray | None = None) -> np.ndarray:
        """(A,) the next command towards `target` (A,); joints outside `moving` (A,) bool brake instead.

        Raises:
            CommandError: wrong shape or a number that is not finite; the state is unchanged.
        """
        target = self._checked(target)
        inside, wanted, reachable, velocity = self._towards(target)
        self._count(target, inside, wanted, reachable)
        if moving is not None:
            inside, velocity = np.where(moving, inside, self._position), np.where(moving, velocity, self._braking())
        self._target = inside
        return self._move(velocity)

    def preview(self, target: np.ndarray, moving: np.ndarray) -> np.ndarray:
        """(N, A) the command that `follow(target, moving)` would give, then those of a controlled stop, to standstill.

        Nothing is changed or counted. Raises CommandError as `follow` does.
        """
        velocity = np.where(moving, self._towards(self._checked(target))[-1], self._braking())
        step = self._max_a * self._period
        braking = np.arange(int(np.ceil((np.abs(velocity) / step).max())) + 1)[:, None]  # (N, 1) periods of braking
        velocities = np.sign(velocity) * np.maximum(np.abs(velocity) - braking * step, 0.0)  # (N, A)
        path: np.ndarray = np.clip(self._position + velocities.cumsum(0) * self._period, self._lower, self._upper)
        return path

    def stop(self) -> np.ndarray:
        """(A,) the next command of a controlled stop: brake as hard as the limits allow, then stay."""
        velocity = self._braking()
        self._target = self._position
        return self._move(velocity)

    def _braking(self) -> np.ndarray:
        """(A,) the velocity nearest to standstill that is allowed for the next period."""
        velocity: np.ndarray = np.clip(0.0, *self._window())
        return velocity

    def _towards(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """All (A,): the target within the position range, the velocity it asks for, if that is allowed, and ours."""
        inside = np.clip(target, self._lower, self._upper)
        wanted = (inside - self._position) / self._period
        low, high = self._window()
        approach = np.sign(wanted) * braking_velocity(np.abs(inside - self._position), self._max_a, self._period)
        # Landing on the target is only right if its own velocity can be matched afterwards: else it is overshot.
        excess = np.abs(wanted - (inside - self._target) / self._period)
        slack = 1e-6 * self._max_v  # a target that moves exactly at a limit is not slowed by rounding
        reachable = (low - slack <= wanted) & (wanted <= high + slack) & (excess <= self._max_a * self._period + slack)
        return inside, wanted, reachable, np.clip(np.where(reachable, wanted, approach), low, high)

    def _window(self) -> tuple[np.ndarray, np.ndarray]:
        """Velocities (A,), (A,) allowed for the next period."""
        step = self._max_a * self._period
        up = braking_velocity(np.maximum(self._upper - self._position, 0.0), self._max_a, self._period)
        down = braking_velocity(np.maximum(self._position - self._lower, 0.0), self._max_a, self._period)
        high = np.minimum(np.minimum(self._max_v, self._velocity + step), up)
        low = np.maximum(np.maximum(-self._max_v, self._velocity - step), -down)
        return np.minimum(low, high), high

    def _move(self, velocity: np.ndarray) -> np.ndarray:
        self._velocity = velocity
        self._position = np.clip(self._position + velocity * self._period, self._lower, self._upper)
        return self.position

    def _count(self, target: np.ndarray, inside: np.ndarray, wanted: np.ndarray, reachable: np.ndarray) -> None:
        outside, fast = target != inside, np.abs(wanted) > self._max_v
        self.counts.position += int(outside.sum())
        self.counts.velocity += int((fast & ~reachable).sum())
        self.counts.acceleration += int((~fast & ~reachable).sum())
        self.counts.commands += bool((outside | ~reachable).any())

    def _checked(self, vector: np.ndarray) -> np.ndarray:
        vector = np.asarray(vector, dtype=float)
        if vector.shape != self._lower.shape:
            raise CommandError(f"command has shape {vector.shape}, expected ({len(self._lower)},)")
        if not np.isfinite(vector).all():
            bad = [name for name, value in zip(self._names, vector, strict=True) if not np.isfinite(value)]
            raise CommandError(f"command of {bad} is not finite")
        return vector
