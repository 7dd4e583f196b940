"""Keeps the arms inside their workspace and apart from each other, from forward kinematics.

The rule is about ways out, not about places: a command is admitted only if the whole braking path that follows it is
clear. Braking from a command that was admitted is therefore always clear, however sudden the stop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rise_robot.core.cell import JOINTS_PER_ARM, Cell
from rise_robot.core.contract import Contract
from rise_robot.sim.kinematics import TOOL_Z, PiperKinematics

POINTS = ("elbow", "wrist", "flange", "fingertip", "fingertip")
POINT_RADIUS = np.array([0.045, 0.04, 0.04, 0.01, 0.01])  # m, of the arm around each point
SEGMENTS = ("upper arm", "forearm", "wrist", "palm", "palm", "finger", "finger", "base")
SEGMENT_RADIUS = np.array([0.045, 0.04, 0.04, 0.022, 0.022, 0.013, 0.013, 0.05])  # m
_FINGERS = slice(5, 7)
PALM_SIDE, PALM_END = 0.023, 0.075  # m: the palm is flat, two capsules beside its axis, this long from the flange
_SAME = 1e-9  # m: an arm that rests has no less room than before
_TINY = 1e-200  # m^2: a segment of no length; what is divided by it is 0 as well
_PARALLEL = 1e-12  # squared sine of the angle between two segments that count as parallel
_SHOULDER, _ELBOW, _WRIST, _FLANGE = 1, 2, 4, 5  # link frames whose origins are these points


def segment_distances(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """(...,) m, shortest distances between the segments p-q and r-s, all (..., 3).

    Minimises |p + a (q - p) - r - b (s - r)| over a, b in [0, 1]: the unconstrained optimum clamped, then each
    parameter once more for the other one.
    """
    u, v, w = q - p, s - r, p - r
    uu, vv, uv = (u * u).sum(-1), (v * v).sum(-1), (u * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    safe_uu, safe_vv = np.maximum(uu, _TINY), np.maximum(vv, _TINY)
    determinant = uu * vv - uv * uv
    crossing = determinant > _PARALLEL * uu * vv
    a = np.where(crossing, (uv * vw - vv * uw) / np.where(crossing, determinant, 1.0), 0.0)
    b = np.clip((np.clip(a, 0.0, 1.0) * uv + vw) / safe_vv, 0.0, 1.0)
    a = np.clip((b * uv - uw) / safe_uu, 0.0, 1.0)
    distance: np.ndarray = np.linalg.norm(w + a[..., None] * u - b[..., None] * v, axis=-1)
    return distance


@dataclass(frozen=True)
class Admission:
    """moving: (A,) bool, joints that may follow their target, the others brake; reason: why some do not."""

    moving: np.ndarray
    reason: str = ""


class ClearanceGuard:
    """Says which arms may take their path.

    Args:
        contract: its dh_convention and joints: seven per arm, in the order of the cell's arms.
        cell: mounts, workspace box and smallest distance between the arms.

    Raises:
        ContractMismatchError: the cell is of another robot.
    """

    def __init__(self, contract: Contract, cell: Cell) -> None:
        cell.require(contract)
        self._cell, self._kinematics = cell, PiperKinematics(contract.dh_convention)

    def admit(self, present: np.ndarray, propose: Callable[[np.ndarray], np.ndarray]) -> Admission:
        """Which arms may move now: all, else all but one, else none, in the order of the cell's arms.

        From a place that is not clear, every way to more room is admitted, as long as nothing else gets too close
        meanwhile: what an arm lacks to the table allows no hand to come that near to it.

        Args:
            present: (A,) the command of now.
            propose: (A,) bool, which joints move -> (N, A) their next command and the positions through which the
                robot would brake after it.
        """
        arms = len(self._cell.arms)
        reason = ""
        for blocked in (None, *range(arms)) if arms > 1 else (None,):
            moving = np.repeat(np.arange(arms) != (-1 if blocked is None else blocked), JOINTS_PER_ARM)
            proposed = self.margins(propose(moving))
            margin, what = min(proposed, key=lambda each: each[0])
            if margin >= 0.0 or all(
                then >= 0.0 or (now < 0.0 and then >= now - _SAME)
                for (then, _), (now, _) in zip(proposed, self.margins(present[None]), strict=True)
            ):
                return Admission(moving, reason)
            reason = reason or f"clearance: {what} would be {-margin * 1e3:.0f} mm too close"
        return Admission(np.zeros(len(present), bool), reason)

    def margin(self, path: np.ndarray) -> tuple[float, str]:
        """The smallest of `margins`."""
        return min(self.margins(path), key=lambda each: each[0])

    def margins(self, path: np.ndarray) -> list[tuple[float, str]]:
        """Smallest room along a path (N, A), m beyond what is required, negative where it is too little; and where: of
        every arm to the workspace's edge, then of every two arms."""
        chains = np.stack([self._chains(row) for row in path])  # (N, arms, S, 2, 3)
        arms = range(chains.shape[1])
        return [
            *(self._workspace_margin(chains, arm) for arm in arms),
            *(self._pair_margin(chains, i, j) for i, j in itertools.combinations(arms, 2)),
        ]

    def points(self, joints: np.ndarray) -> np.ndarray:
        """(arms, P, 3) m, world positions of POINTS for joint positions (A,)."""
        return _points(self._chains(joints))

    def _chains(self, joints: np.ndarray) -> np.ndarray:
        """(arms, S, 2, 3) m, both ends of SEGMENTS in the world frame."""
        chains = []
        for arm, q in zip(self._cell.arms, joints.reshape(-1, JOINTS_PER_ARM), strict=True):
            frames = self._kinematics.link_transforms(q[:6])
            origin, flange = frames[:, :3, 3], frames[_FLANGE, :3, 3]
            axis, side = frames[_FLANGE, :3, 2], frames[_FLANGE, :3, 1]  # out of the gripper; along which fingers open
            ends = [(origin[_SHOULDER], origin[_ELBOW]), (origin[_ELBOW], origin[_WRIST]), (origin[_WRIST], flange)]
            ends += [(flange + y * side, flange + y * side + PALM_END * axis) for y in (PALM_SIDE, -PALM_SIDE)]
            ends += [
                (flange + y * side + PALM_END * axis, flange + y * side + TOOL_Z * axis) for y in (q[6] / 2, -q[6] / 2)
            ]
            ends.append((np.zeros(3), origin[_SHOULDER]))  # does not move, but the other arm can reach it
            chains.append(arm.to_world(np.array(ends)))
        return np.stack(chains)

    def _workspace_margin(self, chains: np.ndarray, arm: int) -> tuple[float, str]:
        """Base and shoulder are bolted down and not checked."""
        moving = _points(chains[:, arm])  # (N, P, 3)
        room = np.minimum(moving - self._cell.lower, self._cell.upper - moving).min(-1) - POINT_RADIUS
        _, point = np.unravel_index(room.argmin(), room.shape)
        return float(room.min()), f"{self._cell.arms[arm].name} {POINTS[point]} and the workspace's edge"

    def _pair_margin(self, chains: np.ndarray, i: int, j: int) -> tuple[float, str]:
        one, two = chains[:, i, :, None], chains[:, j, None]  # (N, S, 1, 2, 3), (N, 1, S, 2, 3)
        apart = segment_distances(one[..., 0, :], one[..., 1, :], two[..., 0, :], two[..., 1, :])  # (N, S, S)
        room = apart - SEGMENT_RADIUS[:, None] - SEGMENT_RADIUS - self._cell.arm_clearance
        _, mine, its = np.unravel_index(room.argmin(), room.shape)
        names = self._cell.arms[i].name, self._cell.arms[j].name
        return float(room.min()), f"{names[0]} {SEGMENTS[mine]} and {names[1]} {SEGMENTS[its]}"


def _points(chains: np.ndarray) -> np.ndarray:
    """(..., P, 3) POINTS of chains (..., S, 2, 3); of a rolled gripper one fingertip is lower than the other."""
    points: np.ndarray = np.concatenate([chains[..., :3, 1, :], chains[..., _FINGERS, 1, :]], -2)
    return points
