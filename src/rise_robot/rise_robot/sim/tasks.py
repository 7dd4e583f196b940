"""The registry of simulated tasks: how each is built, and its difficulty levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rise_robot.core.contract import Contract
from rise_robot.core.errors import SimulationError
from rise_robot.sim.backpack_cell import BackpackPacking
from rise_robot.sim.backpack_packing import BACKPACK_LEVELS, BackpackPackingConfig
from rise_robot.sim.box_cell import BoxClosing
from rise_robot.sim.box_closing import BOX_LEVELS, BoxClosingConfig
from rise_robot.sim.brick_cell import BrickSorting
from rise_robot.sim.brick_sorting import BRICK_LEVELS, BrickSortingConfig
from rise_robot.sim.task import Task

DEFAULT_LEVEL = "default"


@dataclass(frozen=True)
class TaskSpec:
    """One task.

    Attributes:
        build: makes the task for a contract and a config.
        config: the type of its config; without arguments it is what `SimulatedRobot` runs when not told otherwise.
        levels: configs by difficulty: easy, default, hard.
    """

    build: Callable[[Contract, Any], Task]
    config: type
    levels: Mapping[str, Any]


TASKS: dict[str, TaskSpec] = {
    "backpack_packing": TaskSpec(BackpackPacking, BackpackPackingConfig, BACKPACK_LEVELS),
    "box_closing": TaskSpec(BoxClosing, BoxClosingConfig, BOX_LEVELS),
    "brick_sorting": TaskSpec(BrickSorting, BrickSortingConfig, BRICK_LEVELS),
}


def task_spec(name: str) -> TaskSpec:
    """The task called `name`; raises SimulationError for an unknown one."""
    if name not in TASKS:
        raise SimulationError(f"unknown task {name!r}; known ones are {sorted(TASKS)}")
    return TASKS[name]


def level_config(task: str, level: str = DEFAULT_LEVEL) -> Any:
    """The config of `task` at `level`; raises SimulationError for an unknown one of either."""
    levels = task_spec(task).levels
    if level not in levels:
        raise SimulationError(f"unknown level {level!r} of {task}; known ones are {list(levels)}")
    return levels[level]


@dataclass(frozen=True)
class TaskSetting:
    """A task as it is run: its name in the registry, and its config."""

    name: str
    config: Any

    @classmethod
    def of(cls, name: str, level: str | None = None, bricks: int | tuple[int, int] | None = None) -> TaskSetting:
        """`level` None is one brick, and the default level of others.

        Args:
            bricks: number of bricks, or (lowest, highest), instead of a level's.

        Raises:
            SimulationError: unknown task or level, or a number of bricks for a task without any.
        """
        config = level_config(name, level or DEFAULT_LEVEL)
        if name != "brick_sorting":
            if bricks is not None:
                raise SimulationError(f"{name} has no bricks; leave them out")
            return cls(name, config)
        if level is None:
            return cls(name, BrickSortingConfig(bricks=bricks or (1, 1)))
        return cls(name, config if bricks is None else replace(config, bricks=bricks))


def make_task(name: str, contract: Contract, config: Any = None) -> Task:
    """Build a task; raises SimulationError for an unknown one or a config of another task."""
    spec = task_spec(name)
    config = spec.config() if config is None else config
    if not isinstance(config, spec.config):
        raise SimulationError(f"{name} takes a {spec.config.__name__}, got {config!r}")
    return spec.build(contract, config)
