"""The registry of scripted experts, one for each task: what each can be made to do wrong, and what calls for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rise_robot.core.errors import SimulationError
from rise_robot.sim.backpack_expert import BACKPACK_FAILURES, BackpackPackingExpert
from rise_robot.sim.backpack_watch import BackpackWatch
from rise_robot.sim.box_expert import BOX_FAILURES, BoxClosingExpert
from rise_robot.sim.box_watch import BoxWatch
from rise_robot.sim.brick_watch import BrickWatch
from rise_robot.sim.corruption import FAILURES as BRICK_FAILURES
from rise_robot.sim.corruption import Mishap, brick_corruption
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.robot import SimulatedRobot


class Expert(Protocol):
    """Commands the robot from the simulator's state; an `Agent` of `episode.py` that can also be saved and restored.

    Attributes:
        clean_action: (A,) the last action before noise: the label for imitation.
    """

    clean_action: np.ndarray

    def reset(self) -> None:
        """Start anew from the robot's current state, whatever it is: also in the middle of an episode."""

    def action(self) -> np.ndarray:
        """(A,) the next command: rad, grippers in m; noise included."""

    def get_state(self) -> Any:
        """Everything the expert remembers."""

    def set_state(self, state: Any) -> None:
        """Restore `get_state`; with the robot's state restored as well, the same actions follow."""


class FailureWatch(Protocol):
    """Sees a failure coming, as a person beside the robot would: from what the arms and the objects do."""

    def reset(self) -> None:
        """An episode begins."""

    def reason(self) -> str:
        """Once per control period: what is about to go wrong, "" for nothing."""


@dataclass(frozen=True)
class ExpertSpec:
    """One task's expert.

    Attributes:
        make: from robot, random generator and corruption.
        failures: names of what may deliberately go wrong; `joint_noise` is always one of them.
        corruption: what `make` takes for an episode's mishap.
        watch: sees when the expert should take over from a policy.
    """

    make: Callable[[SimulatedRobot, np.random.Generator | None, Any], Expert]
    failures: tuple[str, ...]
    corruption: Callable[[Mishap], Any]
    watch: Callable[[SimulatedRobot], FailureWatch]


def _unchanged(mishap: Mishap) -> Mishap:
    return mishap


EXPERTS: dict[str, ExpertSpec] = {
    "backpack_packing": ExpertSpec(BackpackPackingExpert, BACKPACK_FAILURES, _unchanged, BackpackWatch),
    "box_closing": ExpertSpec(BoxClosingExpert, BOX_FAILURES, _unchanged, BoxWatch),
    "brick_sorting": ExpertSpec(BrickSortingExpert, BRICK_FAILURES, brick_corruption, BrickWatch),
}


def make_expert(robot: SimulatedRobot, rng: np.random.Generator | None = None, corruption: Any = None) -> Expert:
    """The expert of the task that `robot` runs; SimulationError where that task has none."""
    return _spec(robot).make(robot, rng, corruption)


def make_watch(robot: SimulatedRobot) -> FailureWatch:
    """What sees failures of the task that `robot` runs coming; SimulationError where that task has none."""
    return _spec(robot).watch(robot)


def _spec(robot: SimulatedRobot) -> ExpertSpec:
    if robot.task.name not in EXPERTS:
        raise SimulationError(f"no expert for {robot.task.name}; there are some for {sorted(EXPERTS)}")
    return EXPERTS[robot.task.name]
