"""How joints follow commands: one first-order lag per joint, fitted to recordings, and joints that objects stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STANDS = 0.05
"""Of the way that is left to a command: a joint that covers less of it in one control period stands."""
STOPPED = 0.5
"""Share of a joint's squared distances to its commands at which it stood, from which on objects are what stops it."""
NEVER = float("inf")
STEADY_STEPS = 5
"""Control periods over which a steady command moves by less than half of what the joint is away from it: a free joint
cannot trail behind such a command for long."""


@dataclass(frozen=True)
class JointTracking:
    """q[k+1] = q[k] + gain * (command[k] - q[k]), per joint, one control period a step.

    It knows nothing of contacts to come: a gripper that closes on a brick is predicted to close entirely. One that is
    stopped already, which a steady command away from it shows, stays until its command has come to its other side.

    Attributes:
        gain: (A,) in (0, 1].
        stopped_from: (A,) rad or m from a steady command at which a joint is taken to be stopped by an object, NEVER
            for joints that were not seen so; empty: none was.
    """

    gain: tuple[float, ...]
    stopped_from: tuple[float, ...] = ()

    @classmethod
    def fit(cls, pairs: list[tuple[np.ndarray, np.ndarray]]) -> JointTracking:
        """Least squares over episodes, periods in which a joint stands away from its command left out.

        Args:
            pairs: (T, A) joint positions and (T, A) commands of each episode, rad and m; `command[t]` follows
                `position[t]`. A joint that was never commanded away from where it is follows at once.
        """
        position, command = (np.concatenate([pair[i][:-1] for pair in pairs]).astype(np.float64) for i in (0, 1))
        left, moved = command - position, np.concatenate([np.diff(q.astype(np.float64), axis=0) for q, _ in pairs])
        distance, squared = np.abs(left), np.square(left)
        free = np.abs(moved) >= STANDS * distance
        covered, asked = (free * left * moved).sum(0), (free * squared).sum(0)
        gain = np.divide(covered, asked, out=np.ones_like(asked), where=asked > 1e-9)
        stood = (~free * squared).sum(0)
        typical = (~free * squared * distance).sum(0) / np.maximum(stood, 1e-12)
        stopped_from = np.where(stood > STOPPED * squared.sum(0), 0.5 * typical, NEVER)
        return cls(tuple(np.clip(gain, STANDS, 1.0).tolist()), tuple(stopped_from.tolist()))

    def follow(self, position: np.ndarray, commands: np.ndarray) -> np.ndarray:
        """(..., K, A) positions after each of the (..., K, A) commands, from (..., A) positions before the first."""
        gain, followed = np.asarray(self.gain), np.empty_like(commands)
        apart = commands[..., 0, :] - position
        held = self._held(apart, commands)
        for step in range(commands.shape[-2]):
            left = commands[..., step, :] - position
            held = held & (left * apart > 0)
            position = position + np.where(held, 0.0, gain) * left
            followed[..., step, :] = position
        return followed

    def _held(self, apart: np.ndarray, commands: np.ndarray) -> np.ndarray:
        """(..., A) bool, which joints something stops: `apart` (..., A) from the first of steady commands."""
        distance, wandered = np.abs(apart), np.ptp(commands[..., :STEADY_STEPS, :], axis=-2)
        return (distance > np.asarray(self.stopped_from or NEVER)) & (wandered < 0.5 * distance)
