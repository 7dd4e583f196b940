"""Inverse kinematics of one Piper arm: damped least squares on the tool pose, within the joint limits."""

from __future__ import annotations

import numpy as np

from rise_robot.sim.kinematics import PiperKinematics, cross

WORKING = np.array([0.0, 1.6, -1.1, 0.0, 0.65, 0.0])
"""rad; a pose over the table, from which the solver never folds an arm the wrong way."""


def working_seed(reference: np.ndarray) -> np.ndarray:
    """(6,) rad to begin from: `reference`, or WORKING about the same first joint where that is folded."""
    return reference if reference[1] > 0.9 else np.array([reference[0], *WORKING[1:]])


def rotation_error(target: np.ndarray, current: np.ndarray) -> np.ndarray:
    """(3,) rotation vector (rad, base frame) that turns `current` (3, 3) towards `target` (3, 3).

    Sum of the cross products of the axes: exact in direction, sin(angle) in length.
    """
    return 0.5 * cross(current, target).sum(axis=1)


def solve_ik(
    kinematics: PiperKinematics,
    position: np.ndarray,
    rotation: np.ndarray,
    seed: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    iterations: int = 6,
    orientation_weight: float = 0.1,
    damping: float = 1e-3,
) -> np.ndarray:
    """Joint angles (6,) rad whose tool pose is nearest to `position` (3,) m and `rotation` (3, 3), from `seed` (6,).

    A radian of orientation counts as `orientation_weight` metres, so that where a joint limit forbids the
    orientation (joint 5 ends at 70 deg) the position is still met.
    """
    q = np.clip(seed, lower, upper)
    weight = np.array([1.0, 1.0, 1.0, *(3 * [orientation_weight])])
    for _ in range(iterations):
        tool_position, tool_rotation, jacobian = kinematics.tool_and_jacobian(q)
        error = np.concatenate([position - tool_position, rotation_error(rotation, tool_rotation)]) * weight
        if np.abs(error).max() < 2e-5:
            break
        free = np.ones(6, bool)
        for _ in range(2):  # a joint pushed against its limit leaves its work to the others
            weighted = jacobian * weight[:, None] * free
            step = weighted.T @ np.linalg.solve(weighted @ weighted.T + damping**2 * np.eye(6), error)
            blocked = ((q <= lower) & (step < 0)) | ((q >= upper) & (step > 0))
            if not blocked.any():
                break
            free &= ~blocked
        q = np.clip(q + np.clip(step, -0.3, 0.3), lower, upper)
    return q
