"""Runs one episode of an agent on the simulated robot and keeps its streams: no ROS, no wall clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rise_robot.core.rubric import RubricEventRecord
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.task import Outcome


class Agent(Protocol):
    """Commands the robot: an expert or a policy.

    An agent may also have `observe(stamp, joint_positions, images)`: it is then told, before each `action`, what a tick
    holds under these names. `clean_action`: its last command before exploration noise. `human`: whether its last
    command is a person's, who took over from a policy.
    """

    def reset(self) -> None:
        """An episode begins; the robot is at its start pose."""

    def action(self) -> np.ndarray:
        """(A,) the next command, from the robot's current state."""


@dataclass(frozen=True)
class Tick:
    """One control period: what was observed at its start, what was commanded, and what came of it.

    Attributes:
        stamp: int ns since the start of the episode, start of the period.
        joint_positions, joint_velocities, joint_efforts: (A,) at `stamp`.
        images: frames due at `stamp`: camera name -> (H, W, 3) uint8 RGB.
        command: (A,) what was sent, within the limits; None in the last tick, which only observes.
        clean_command: (A,) the agent's command before its exploration noise (equal to `command` for most agents).
        human: the command is a person's.
        progress: privileged progress at `stamp`.
        consequences: per object at `stamp`.
        events: rubric events at the end of the period (their stamps say when).
        outcome: after the period.
        score: after the period.
    """

    stamp: int
    joint_positions: np.ndarray
    joint_velocities: np.ndarray
    joint_efforts: np.ndarray
    images: dict[str, np.ndarray]
    command: np.ndarray | None
    clean_command: np.ndarray | None
    human: bool
    progress: float
    consequences: tuple[str, ...]
    events: tuple[RubricEventRecord, ...]
    outcome: Outcome
    score: float


@dataclass(frozen=True)
class EpisodeRecording:
    """All ticks of one episode and how it ended."""

    seed: int
    instruction: str
    outcome: Outcome
    score: float
    ticks: tuple[Tick, ...]

    @property
    def commands(self) -> np.ndarray:
        """(N, A) sent commands; (N, A) `clean_commands` and N+1 observations go with them."""
        return np.array([tick.command for tick in self.ticks if tick.command is not None])

    @property
    def clean_commands(self) -> np.ndarray:
        return np.array([tick.clean_command for tick in self.ticks if tick.clean_command is not None])

    @property
    def joint_positions(self) -> np.ndarray:
        """(N+1, A)."""
        return np.array([tick.joint_positions for tick in self.ticks])

    @property
    def progress(self) -> np.ndarray:
        """(N+1,)."""
        return np.array([tick.progress for tick in self.ticks])

    @property
    def events(self) -> tuple[RubricEventRecord, ...]:
        return tuple(event for tick in self.ticks for event in tick.events)

    @property
    def duration_s(self) -> float:
        return self.ticks[-1].stamp * 1e-9

    def frames(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """Stamps (n,) int64 ns and frames (n, H, W, 3) uint8 of one camera."""
        due = [(tick.stamp, tick.images[camera]) for tick in self.ticks if camera in tick.images]
        return np.array([stamp for stamp, _ in due], np.int64), np.array([frame for _, frame in due])


def stream_episode(robot: SimulatedRobot, agent: Agent, seed: int, *, render: bool = True) -> Iterator[Tick]:
    """Reset to `seed` and yield every tick until the episode ends; the last one observes only.

    Args:
        render: False leaves `images` empty (physics alone is about five times faster).
    """
    robot.reset(seed)
    agent.reset()
    observe = getattr(agent, "observe", None)
    events: tuple[RubricEventRecord, ...] = ()
    while robot.outcome == "running":
        seen = _observe(robot, render)
        if observe is not None:
            observe(seen["stamp"], seen["joint_positions"], seen["images"])
        wanted = np.asarray(agent.action(), float)
        events = robot.step(wanted).events
        yield Tick(
            **seen,
            command=robot.command,
            clean_command=robot.as_executed(getattr(agent, "clean_action", robot.command)),
            human=bool(getattr(agent, "human", False)),
            events=events,
            outcome=robot.outcome,
            score=robot.score,
        )
    yield Tick(
        **_observe(robot, render),
        command=None,
        clean_command=None,
        human=False,
        events=(),
        outcome=robot.outcome,
        score=robot.score,
    )


def run_episode(robot: SimulatedRobot, agent: Agent, seed: int, *, render: bool = True) -> EpisodeRecording:
    """`stream_episode` collected."""
    ticks = tuple(stream_episode(robot, agent, seed, render=render))
    return EpisodeRecording(seed, robot.instruction, robot.outcome, robot.score, ticks)


def _observe(robot: SimulatedRobot, render: bool) -> dict:
    return {
        "stamp": round(robot.time * 1e9),
        "joint_positions": robot.joint_positions,
        "joint_velocities": robot.joint_velocities,
        "joint_efforts": robot.joint_efforts,
        "images": robot.render(due_cameras(robot)) if render else {},
        "progress": robot.progress(),
        "consequences": robot.consequences(),
    }


def due_cameras(robot: SimulatedRobot) -> list[str]:
    """Cameras that take a frame at the current control step: every (control rate / camera rate)-th."""
    rate = robot.contract.control_rate_hz
    return [c.name for c in robot.contract.cameras if robot.control_step % max(1, round(rate / c.rate_hz)) == 0]
