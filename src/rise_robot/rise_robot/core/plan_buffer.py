"""The running execution plan: one action per control step, and the grid that numbers the steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.core.errors import CommandError


@dataclass(frozen=True)
class StepGrid:
    """Numbers the control steps: step n is due at `origin_ns + n * period_ns`.

    Attributes:
        origin_ns: time of step 0.
        period_ns: control period; not an integer at 30 Hz.
    """

    origin_ns: int
    period_ns: float

    def current(self, now_ns: int) -> int:
        """Step that is due at `now_ns`: a tick may come a quarter of a period early and three quarters late."""
        return int(np.floor((now_ns - self.origin_ns) / self.period_ns + 0.25))

    def nearest(self, stamp_ns: int) -> int:
        """Step whose due time is nearest to a stamp."""
        return int(np.floor((stamp_ns - self.origin_ns) / self.period_ns + 0.5))

    def time_ns(self, step: int) -> int:
        return self.origin_ns + round(step * self.period_ns)


class PlanBuffer:
    """Actions of consecutive control steps `first_step .. end_step - 1`; empty when the two are equal."""

    def __init__(self, action_dim: int) -> None:
        self._actions = np.empty((0, action_dim))  # (N, A)
        self.first_step = 0

    @property
    def end_step(self) -> int:
        return self.first_step + len(self._actions)

    def __len__(self) -> int:
        return len(self._actions)

    def replace(self, first_step: int, actions: np.ndarray) -> None:
        """Make `actions` (N, A) the plan from `first_step` on."""
        if actions.ndim != 2 or actions.shape[1] != self._actions.shape[1]:
            raise CommandError(f"a plan needs shape (N, {self._actions.shape[1]}), got {actions.shape}")
        self.first_step, self._actions = first_step, np.array(actions, dtype=float)

    def clear(self) -> None:
        self._actions = self._actions[:0]

    def drop_before(self, step: int) -> int:
        """Forget the steps before `step`; return how many those were."""
        count = min(max(step - self.first_step, 0), len(self._actions))
        self._actions = self._actions[count:]
        self.first_step = max(step, self.first_step)
        return count

    def action(self, step: int) -> np.ndarray | None:
        """(A,) planned for `step`, or None where the plan says nothing."""
        if self.first_step <= step < self.end_step:
            row: np.ndarray = self._actions[step - self.first_step].copy()
            return row
        return None

    def between(self, first: int, end: int) -> np.ndarray:
        """(end - first, A) planned actions; the range must lie inside the plan."""
        assert self.first_step <= first <= end <= self.end_step
        return self._actions[first - self.first_step : end - self.first_step].copy()
