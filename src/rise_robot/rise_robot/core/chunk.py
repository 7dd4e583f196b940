"""Commands as they come in, validated: action chunks of a policy and joint trajectories of a person or script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import ChunkRefusedError, CommandError
from rise_robot.core.plan_buffer import StepGrid

MAX_TRAJECTORY_S = 600.0


@dataclass(frozen=True)
class Chunk:
    """Actions that answer one observation.

    Attributes:
        stamp_ns: time of the observation; action j belongs to `stamp_ns + j * period`.
        actions: (K, A) rad; gripper in m; in contract order.
        policy_version: who made it.
        advantage_bin: 1..10 asked for, 0 for none.
    """

    stamp_ns: int
    actions: np.ndarray
    policy_version: str = ""
    advantage_bin: int = 0


@dataclass(frozen=True)
class Trajectory:
    """A joint trajectory in contract order.

    Attributes:
        stamp_ns: start time; 0 starts at once.
        times_s: (P,) from the start, strictly increasing, not negative.
        positions: (P, A) rad; gripper in m.
    """

    stamp_ns: int
    times_s: np.ndarray
    positions: np.ndarray

    def sample(self, grid: StepGrid, next_step: int, start: np.ndarray) -> np.ndarray:
        """(N, A) actions from `next_step` on: straight lines from `start` through the points still ahead.

        Points that are already due are skipped; where all are, the last one is the target of the next step.

        Args:
            start: (A,) the command of the step before, from which the first line begins.
        """
        begin_ns = self.stamp_ns or grid.time_ns(next_step)
        due = (begin_ns - grid.time_ns(next_step)) * 1e-9 / (grid.period_ns * 1e-9) + self.times_s / (
            grid.period_ns * 1e-9
        )  # (P,) in steps after next_step
        ahead = due > -0.5
        if not ahead.any():
            return self.positions[-1:].copy()
        due, points = due[ahead], self.positions[ahead]
        steps = np.arange(max(int(np.ceil(due[-1] - 1e-6)), 0) + 1)  # (N,)
        if due[0] > 0:
            due, points = np.concatenate([[-1.0], due]), np.vstack([start, points])
        return np.stack([np.interp(steps, due, points[:, a]) for a in range(points.shape[1])], axis=1)


def make_chunk(
    contract: Contract,
    *,
    stamp_ns: int,
    joint_names: Sequence[str],
    dt: float,
    chunk_size: int,
    positions: Sequence[float] | np.ndarray,
    policy_version: str = "",
    advantage_bin: int = 0,
) -> Chunk:
    """Validate the fields of an ActionChunk message; row-major `positions`, any order of joints.

    Raises:
        CommandError: wrong names, size or a number that is not finite.
        ChunkRefusedError: `dt` is not the control period (reason "dt"): actions are never resampled by guess.
    """
    order = _order(contract, joint_names)
    if not abs(dt - contract.control_period_s) <= 0.01 * contract.control_period_s:  # NaN is refused, too
        raise ChunkRefusedError("dt", f"chunk dt {dt} s is not the control period {contract.control_period_s:.6f} s")
    flat = np.asarray(positions, dtype=float)
    if not 0 < chunk_size <= contract.chunk_size or flat.shape != (chunk_size * len(order),):
        raise CommandError(
            f"chunk has {flat.size} numbers for chunk_size {chunk_size}; "
            f"expected 1..{contract.chunk_size} rows of {len(order)} joints"
        )
    actions = _finite(flat.reshape(chunk_size, len(order))[:, order], contract)
    return Chunk(int(stamp_ns), actions, policy_version, int(advantage_bin))


def make_trajectory(
    contract: Contract,
    *,
    stamp_ns: int,
    joint_names: Sequence[str],
    times_s: Sequence[float],
    positions: Sequence[Sequence[float]],
) -> Trajectory:
    """Validate the fields of a JointTrajectory message; all joints of the contract, in any order."""
    order = _order(contract, joint_names)
    times = np.asarray(times_s, dtype=float)
    if any(len(row) != len(order) for row in positions) or len(positions) != len(times) or not len(times):
        raise CommandError(
            f"trajectory needs one or more points of {len(order)} positions, got {len(positions)} points"
        )
    if not np.isfinite(times).all() or times[0] < 0 or times[-1] > MAX_TRAJECTORY_S or (np.diff(times) <= 0).any():
        raise CommandError(f"time_from_start must rise strictly within 0..{MAX_TRAJECTORY_S:g} s, got {times.tolist()}")
    rows = _finite(np.asarray(positions, dtype=float)[:, order], contract)
    return Trajectory(int(stamp_ns), times, rows)


def _order(contract: Contract, joint_names: Sequence[str]) -> list[int]:
    """Index of each joint of the contract in `joint_names`."""
    if sorted(joint_names) != sorted(contract.joint_names):
        raise CommandError(f"joints {list(joint_names)} are not those of the contract: {list(contract.joint_names)}")
    return [list(joint_names).index(name) for name in contract.joint_names]


def _finite(rows: np.ndarray, contract: Contract) -> np.ndarray:
    if not np.isfinite(rows).all():
        bad = [contract.joint_names[a] for a in np.flatnonzero(~np.isfinite(rows).all(axis=0))]
        raise CommandError(f"positions of {bad} are not finite")
    return rows
