"""Temporal ensembling of action chunks (Sec. X-B of RISE).

The policy is slower than the controller: when a chunk arrives, some of its steps have already been executed. They are
dropped, and over the overlap of the rest with the unexecuted plan

    a_t = (1 - w_t) a_t^old + w_t a_t^new,    w rising linearly from 0 at the first overlapping step to 1 at the last.

The plan stays in charge at first (no jump), the latest observation at the end. Where chunks arrive much more often than
they end, the overlap is long, and what is executed was decided long ago; `blend_steps` ends the rise of w earlier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.core.errors import ChunkRefusedError
from rise_robot.core.plan_buffer import PlanBuffer


@dataclass(frozen=True)
class Seam:
    """Largest difference over the joints, rad or m, between the old plan and what replaces it where this begins.

    Attributes:
        position: of the first step.
        velocity: of the way from the first step to the second one, per control step.
        naive_position, naive_velocity: the same, had the chunk replaced the plan without blending.
    """

    position: float
    velocity: float
    naive_position: float
    naive_velocity: float

    @classmethod
    def between(cls, old: np.ndarray, blended: np.ndarray, chunk: np.ndarray) -> Seam:
        """All (N, A) from the next step on; N at least 2."""
        gaps = [new[:2] - old[:2] for new in (blended, chunk)]
        position = [float(np.abs(gap[0]).max()) for gap in gaps]
        velocity = [float(np.abs(gap[1] - gap[0]).max()) for gap in gaps]
        return cls(position[0], velocity[0], position[1], velocity[1])


@dataclass(frozen=True)
class Merge:
    """What became of a chunk's steps: dropped because executed, blended with the old plan, taken as they are.

    seam: None where fewer than two steps overlap.
    """

    dropped: int
    overlap: int
    appended: int
    seam: Seam | None = None


def blend_weights(overlap: int, blend_steps: int = 0) -> np.ndarray:
    """(overlap,) weights of the new chunk; a single overlapping step is first and last at once and gets 1/2.

    Args:
        blend_steps: 1 is reached after so many steps, at the last one if that comes earlier; 0: at the last one.
    """
    if overlap == 1:
        return np.full(1, 0.5)
    last = min(overlap - 1, blend_steps or overlap)
    return np.minimum(np.arange(overlap) / last, 1.0)


class ChunkEnsembler:
    """Merges chunks into a running plan, on the integer grid of control steps.

    A chunk is refused when it answers an observation that is not newer than that of the last accepted one
    ("duplicate", "out_of_order"), when all its steps have been executed ("late"), or when its first step lies beyond
    the next one ("future"): an observation cannot come from there. The plan ends where the newest chunk ends.
    """

    def __init__(self, action_dim: int, blend_steps: int = 0) -> None:
        """Begin without a plan; `blend_steps` as in `blend_weights`."""
        self._plan, self._blend_steps = PlanBuffer(action_dim), blend_steps
        self._newest: int | None = None

    @property
    def end_step(self) -> int:
        """First step that the plan says nothing about."""
        return self._plan.end_step

    def reset(self) -> None:
        """Forget the plan and which chunk was the newest."""
        self._plan.clear()
        self._newest = None

    def replace(self, first_step: int, actions: np.ndarray) -> None:
        """Start a plan without blending (a trajectory that already begins at the present command)."""
        self.reset()
        self._plan.replace(first_step, actions)

    def action(self, step: int) -> np.ndarray | None:
        """(A,) of `step`, or None where no plan reaches; steps before it count as executed."""
        self._plan.drop_before(step)
        return self._plan.action(step)

    def add(self, first_step: int, actions: np.ndarray, next_step: int) -> Merge:
        """Merge a chunk.

        Args:
            first_step: control step of the chunk's observation, to which `actions[0]` belongs.
            actions: (K, A) float.
            next_step: first control step that has not been executed yet.

        Raises:
            ChunkRefusedError: duplicate, out_of_order, late or future; the plan is unchanged.
        """
        self._check(first_step, first_step + len(actions), next_step)
        dropped = next_step - first_step
        self._plan.drop_before(next_step)
        merged, old = self._merged(actions[dropped:], next_step)
        seam = Seam.between(old, merged, actions[dropped:]) if len(old) > 1 else None
        self._plan.replace(next_step, merged)
        self._newest = first_step
        return Merge(dropped, len(old), len(merged) - len(old), seam)

    def preview(self, first_step: int, actions: np.ndarray, next_step: int, last: np.ndarray) -> np.ndarray:
        """(K, A) what is executed from `first_step` on if a chunk (K, A) arrives at `next_step`; nothing changes.

        Args:
            last: (A,) action of the step before `first_step`, held until the chunk arrives where nothing is planned.
        """
        executed = []
        for step in range(first_step, next_step):
            planned = self._plan.action(step)
            last = last if planned is None else planned
            executed.append(last)
        return np.array([*executed, *self._merged(actions[next_step - first_step :], next_step)[0]])

    def _merged(self, fresh: np.ndarray, next_step: int) -> tuple[np.ndarray, np.ndarray]:
        """The plan from `next_step` on with a chunk's steps (N, A) blended in, and what it had where they overlap."""
        planned = self._plan.end_step - next_step if len(self._plan) else 0
        overlap = min(max(0, planned), len(fresh))
        merged = np.array(fresh, dtype=float)
        if not overlap:
            return merged, merged[:0]
        old = self._plan.between(next_step, next_step + overlap)
        w = blend_weights(overlap, self._blend_steps)[:, None]
        merged[:overlap] = (1 - w) * old + w * merged[:overlap]
        return merged, old

    def _check(self, first: int, end: int, next_step: int) -> None:
        if self._newest is not None and first <= self._newest:
            reason = "duplicate" if first == self._newest else "out_of_order"
            raise ChunkRefusedError(reason, f"chunk of step {first} does not follow that of step {self._newest}")
        if end <= next_step:
            raise ChunkRefusedError("late", f"chunk covers steps {first}..{end - 1}, all before {next_step}")
        if first > next_step:
            raise ChunkRefusedError("future", f"chunk starts at step {first}, after the next step {next_step}")
