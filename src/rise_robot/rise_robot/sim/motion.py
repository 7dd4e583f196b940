"""Joint-space reference of one arm: moves towards a target with limited speed and acceleration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_SPEED = 1.8  # rad/s, below the 3.0 of the contract so that limits never bend an expert's path
MAX_ACCELERATION = 9.0  # rad/s^2


@dataclass(frozen=True)
class JointReference:
    """Commanded joint angles (6,) rad and their velocity (6,) rad/s; immutable."""

    position: np.ndarray
    velocity: np.ndarray

    def towards(self, target: np.ndarray, dt: float) -> JointReference:
        """One period of length `dt` (s) on a straight line in joint space, braking in time to stop at `target`."""
        error = target - self.position
        distance = float(np.abs(error).max())
        if distance > 1e-9:
            braking = np.sqrt(2.0 * 0.7 * MAX_ACCELERATION * distance)
            wanted = error / distance * min(MAX_SPEED, braking, distance / dt)
        else:
            wanted = np.zeros_like(error)
        change = wanted - self.velocity
        change *= min(1.0, MAX_ACCELERATION * dt / max(float(np.abs(change).max()), 1e-12))
        velocity = self.velocity + change
        return JointReference(self.position + velocity * dt, velocity)


def smooth_noise(last: np.ndarray, sigma: float, upper: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(A,) first-order noise after `last`, with standard deviation `sigma` (rad) and a correlation of about 0.15 s.

    Grippers, known by their small upper limit, get a tenth of it, in m.
    """
    if sigma == 0.0:
        return last
    scale = np.where(upper < 0.2, 0.1 * sigma, sigma)
    keep = 0.8
    fresh = rng.normal(size=scale.shape) * scale
    return keep * last + np.sqrt(1.0 - keep**2) * fresh
