"""One task as an environment of its own: reset by seed and level, step by action; pure Python, no ROS and no Gymnasium.

Example:
    with TaskEnvironment("box_closing", Contract.load(config_path("contract_tiny.yaml"))) as environment:
        observation = environment.reset(seed=7, level="hard")
        while environment.outcome == "running":
            observation = environment.step(policy(environment.instruction, observation)).observation
        print(environment.score, environment.failure_reason)
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.rubric import RubricEventRecord
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.task import Outcome
from rise_robot.sim.tasks import DEFAULT_LEVEL, level_config


@dataclass(frozen=True)
class Observation:
    """What a policy sees.

    Attributes:
        state: (A,) joint positions, rad and m of gripper opening, in the contract's order.
        images: (H, W, 3) uint8 RGB by camera name; empty when not rendered.
    """

    state: np.ndarray
    images: dict[str, np.ndarray]


@dataclass(frozen=True)
class Transition:
    """What one action brought: the next observation, the rubric's events and what the episode has come to."""

    observation: Observation
    events: tuple[RubricEventRecord, ...]
    outcome: Outcome


class TaskEnvironment:
    """One simulated task; the robot is built at the first reset, and anew when the level changes.

    Args:
        task: name in `tasks.TASKS`.
        render: False leaves images out (physics alone is several times faster).
    """

    def __init__(self, task: str, contract: Contract, *, render: bool = True) -> None:
        level_config(task)
        self.task, self.contract, self.render = task, contract, render
        self.level = ""
        self._robot: SimulatedRobot | None = None

    def __enter__(self) -> TaskEnvironment:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def robot(self) -> SimulatedRobot:
        """The simulated robot; experts read it. The default level is built where none was reset to yet."""
        if self._robot is None:
            self._build(DEFAULT_LEVEL)
        assert self._robot is not None
        return self._robot

    def reset(self, seed: int, level: str = DEFAULT_LEVEL) -> Observation:
        """Begin the episode of `seed` at `level`; SimulationError for an unknown level."""
        if level != self.level:
            self._build(level)
        self.robot.reset(seed)
        return self.observation()

    def step(self, action: np.ndarray) -> Transition:
        """Apply one absolute joint action (A,) for one control period; errors as `SimulatedRobot.step`."""
        result = self.robot.step(action)
        return Transition(self.observation(), result.events, result.outcome)

    def observation(self) -> Observation:
        """What a policy sees now."""
        return Observation(self.robot.joint_positions, self.robot.render() if self.render else {})

    @property
    def instruction(self) -> str:
        return self.robot.instruction

    @property
    def outcome(self) -> Outcome:
        return self.robot.outcome

    @property
    def success(self) -> bool:
        return self.robot.outcome == "success"

    @property
    def score(self) -> float:
        """Of the rubric so far, 0 to 10."""
        return self.robot.score

    @property
    def failure_reason(self) -> str:
        return self.robot.failure_reason

    def close(self) -> None:
        """Free the OpenGL contexts."""
        if self._robot is not None:
            self._robot.close()
            self._robot = None
        self.level = ""

    def _build(self, level: str) -> None:
        config: Any = level_config(self.task, level)
        self.close()
        self._robot, self.level = SimulatedRobot(self.contract, self.task, config), level
