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
    orientation (joint 5 ends at 70 deg) the position is still met. Levenberg-Marquardt: a step that does not
    lessen the error is taken back and tried shorter (ten times the damping), so that no arm ends farther off than it
    began.
    """
    q = np.clip(seed, lower, upper)
    weight = np.array([1.0, 1.0, 1.0, *(3 * [orientation_weight])])

    def linearised(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tool_position, tool_rotation, jacobian = kinematics.tool_and_jacobian(q)
        error = np.concatenate([position - tool_position, rotation_error(rotation, tool_rotation)]) * weight
        return error, jacobian * weight[:, None]

    error, jacobian = linearised(q)
    tried = damping
    for _ in range(iterations):
        if np.abs(error).max() < 2e-5 or tried > 1e3:  # there, or as near as the limits allow
            break
        candidate = np.clip(q + _step(error, jacobian, q <= lower, q >= upper, tried), lower, upper)
        next_error, next_jacobian = linearised(candidate)
        if next_error @ next_error < error @ error:
            q, error, jacobian = candidate, next_error, next_jacobian
            tried = max(damping, tried / 10)
        else:
            tried *= 10
    return q


def _step(
    error: np.ndarray, jacobian: np.ndarray, at_lower: np.ndarray, at_upper: np.ndarray, damping: float
) -> np.ndarray:
    """(6,) rad, at most 0.3 a joint; a joint pushed against its limit leaves its work to the others."""
    free = np.ones(6, bool)
    for _ in range(2):
        freed = jacobian * free
        step: np.ndarray = freed.T @ np.linalg.solve(freed @ freed.T + damping**2 * np.eye(6), error)
        blocked = (at_lower & (step < 0)) | (at_upper & (step > 0))
        if not blocked.any():
            break
        free &= ~blocked
    return np.clip(step, -0.3, 0.3)
