"""What every simulated task is to the robot, the recorder and the experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from rise_robot.core.rubric import RubricEventRecord

if TYPE_CHECKING:
    from mujoco import MjData, MjModel

Outcome = Literal["running", "success", "failure"]
MAX_SCORE = 10.0
"""Of the rubric of every task (Table VII)."""


class Setup(Protocol):
    """What a seed drew, as far as every task has it."""

    @property
    def home_offset(self) -> np.ndarray:
        """(12,) rad, by which the start pose of the revolute joints differs from HOME."""

    @property
    def time_limit(self) -> float:
        """s, after which an episode ends."""


class Task(Protocol):
    """A task in physics: it draws episodes, changes the scene where physics alone does not, and keeps the rubric.

    Attributes:
        name: as in the registry.
        model, data: MuJoCo's; the robot steps them.
    """

    name: str
    model: MjModel
    data: MjData

    @property
    def setup(self) -> Setup: ...

    @property
    def instruction(self) -> str:
        """What the policy is told to do."""

    @property
    def outcome(self) -> Outcome: ...

    @property
    def decided(self) -> bool:
        """Whether nothing is left to do: what follows shows only whether it lasts."""

    @property
    def score(self) -> float:
        """Of the rubric so far, 0 to MAX_SCORE."""

    @property
    def failure_reason(self) -> str:
        """Why the episode failed, in two or three words; "" while it runs and after a success."""

    def reset(self, rng: np.random.Generator) -> None:
        """Draw an episode and put its objects into `data`, which MuJoCo has just reset."""

    def clear(self) -> None:
        """Put every object out of sight, under nominal light."""

    def before_step(self) -> None:
        """A control period begins."""

    def after_step(self, now: float) -> tuple[RubricEventRecord, ...]:
        """Advance the rubric to `now` (s) after physics was stepped and forwarded; the events that this brought."""

    def progress(self, tools: Mapping[str, np.ndarray]) -> float:
        """Privileged, shaped progress in [-1, 1]; `tools` are the arms' tool positions (3,) m."""

    def consequences(self) -> tuple[str, ...]:
        """What became of each object so far, in words of the task."""

    def get_state(self) -> Any:
        """What the task remembers beside physics; later steps do not change it."""

    def set_state(self, state: Any) -> None:
        """Restore `get_state`, with what it changes in the model."""
