"""How joints follow commands: one first-order lag per joint, fitted to recordings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class JointTracking:
    """q[k+1] = q[k] + gain * (command[k] - q[k]), per joint, one control period a step.

    It knows nothing of contacts: a gripper that closes on a brick is predicted to close entirely.

    Attributes:
        gain: (A,) in (0, 1].
    """

    gain: tuple[float, ...]

    @classmethod
    def fit(cls, pairs: list[tuple[np.ndarray, np.ndarray]]) -> JointTracking:
        """Least squares over episodes.

        Args:
            pairs: (T, A) joint positions and (T, A) commands of each episode, rad and m; `command[t]` follows
                `position[t]`. A joint that was never commanded away from where it is follows at once.
        """
        moved = sum(((u[:-1] - q[:-1]) * np.diff(q, axis=0)).sum(0, dtype=np.float64) for q, u in pairs)
        asked = sum(np.square(u[:-1] - q[:-1]).sum(0, dtype=np.float64) for q, u in pairs)
        gain = np.divide(moved, asked, out=np.ones_like(asked), where=asked > 1e-9)
        return cls(tuple(np.clip(gain, 0.05, 1.0).tolist()))

    def follow(self, position: np.ndarray, commands: np.ndarray) -> np.ndarray:
        """(..., K, A) positions after each of the (..., K, A) commands, from (..., A) positions before the first."""
        gain, followed = np.asarray(self.gain), np.empty_like(commands)
        for step in range(commands.shape[-2]):
            position = position + gain * (commands[..., step, :] - position)
            followed[..., step, :] = position
        return followed
