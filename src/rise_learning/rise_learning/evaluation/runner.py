"""Many evaluation episodes of one policy in the simulated robot, spread over processes, each decided by physics."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rise_learning.evaluation.agent import Chooser, DeploymentConfig, PolicyAgent, noise_of_episode
from rise_learning.evaluation.results import EpisodeResult
from rise_learning.policy.checkpoint import MODEL, TrainedPolicy, load_policy
from rise_learning.worker_pool import ItemT, ResultT, shared_map
from rise_robot.bag.episode import Episode
from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.writer import BagWriter
from rise_robot.recording import FIRST_START_NS, PAUSE_NS, collect_episode, shifted
from rise_robot.sim.episode import Agent, stream_episode
from rise_robot.sim.intervention import InterventionAgent
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.tasks import TaskSetting


def run_agent(robot: SimulatedRobot, agent: Agent, seed: int) -> EpisodeResult:
    """One episode, rendered only where the agent looks."""
    events = [event.name for tick in stream_episode(robot, agent, seed, render=False) for event in tick.events]
    return EpisodeResult(seed, robot.outcome == "success", robot.score, robot.time, tuple(events), robot.failure_reason)


def record_agent(robot: SimulatedRobot, agent: Agent, seed: int, version: str) -> tuple[EpisodeResult, Episode]:
    """The same episode as `run_agent`, kept as a rollout, or as dagger where a person took over; begins at stamp 0."""
    name = f"{robot.task.name}-rollout-{version.replace('/', '.')}-{seed:07d}"
    episode = collect_episode(robot, agent, seed, episode_id=name, kind="rollout", start_ns=0)
    if episode.human.any():
        episode = dataclasses.replace(episode, kind="dagger", episode_id=name.replace("-rollout-", "-dagger-"))
    events = tuple(event.name for event in episode.events)
    success = episode.outcome == "success"
    return EpisodeResult(seed, success, episode.score, robot.time, events, robot.failure_reason), episode


@dataclass(frozen=True)
class EpisodeWorker:
    """One episode per call, in whatever process; policy and simulator are loaded once per process.

    Attributes:
        record: keep what happened, as an Episode.
        intervene: an expert takes over upon imminent failure (`InterventionAgent`).
        chooser: makes what chooses among `deployment.candidates` chunks, once per process.
        agent_class: what plays the policy.
    """

    policy_directory: Path
    deployment: DeploymentConfig
    task: TaskSetting
    record: bool = False
    intervene: bool = False
    chooser: Callable[[], Chooser] | None = None
    agent_class: type[PolicyAgent] = PolicyAgent

    def __call__(self, seed: int) -> tuple[EpisodeResult, Episode | None]:
        trained, robot = _worker(self.policy_directory, self.task)
        choose = None if self.chooser is None else _chooser(self.chooser)
        agent: Agent = self.agent_class(robot, trained, self.deployment, noise_of_episode(seed), choose)
        if self.intervene:
            agent = InterventionAgent(robot, agent, np.random.default_rng([seed, 1]))
        if self.record:
            return record_agent(robot, agent, seed, trained.version)
        return run_agent(robot, agent, seed), None


_LOADED: dict[tuple[Path, int, TaskSetting], tuple[TrainedPolicy, SimulatedRobot]] = {}
"""By directory, the time at which its weights were written (a training evaluates again and again there), and task."""


def _worker(policy_directory: Path, task: TaskSetting) -> tuple[TrainedPolicy, SimulatedRobot]:
    weights = policy_directory / MODEL
    key = (policy_directory, weights.stat().st_mtime_ns if weights.is_file() else 0, task)
    if key not in _LOADED:
        _LOADED.clear()
        trained = load_policy(policy_directory)
        _LOADED[key] = (trained, SimulatedRobot(trained.contract, task.name, task.config))
    return _LOADED[key]


@functools.cache
def _chooser(make: Callable[[], Chooser]) -> Chooser:
    """Of a worker process."""
    return make()


def spread(
    work: Callable[[ItemT], ResultT], items: list[ItemT], *, workers: int, desc: str, unit: str
) -> Iterator[ResultT]:
    """`shared_map`, with one thread of torch in this process, too, where it does the work."""
    if workers <= 1:
        torch.set_num_threads(1)  # small batches: threads that wait for each other cost more than they bring
    yield from shared_map(work, items, workers=workers, desc=desc, unit=unit)


def evaluate_policy(
    policy_directory: Path,
    deployment: DeploymentConfig,
    task: TaskSetting,
    seeds: list[int],
    *,
    workers: int = 2,
    record: Path | None = None,
    intervene: bool = False,
    chooser: Callable[[], Chooser] | None = None,
    agent_class: type[PolicyAgent] = PolicyAgent,
) -> list[EpisodeResult]:
    """Results in the order of `seeds`.

    Args:
        record: bag directory to create, which gets every episode as a rollout.
        intervene: an expert takes over upon imminent failure; such episodes are recorded as dagger.
        chooser, agent_class: see EpisodeWorker; they go to the workers: hashable, and fit for pickling.

    Raises:
        BagError: `record` exists or cannot be written.
    """
    work = EpisodeWorker(policy_directory, deployment, task, record is not None, intervene, chooser, agent_class)
    results, start_ns = [], FIRST_START_NS
    with ExitStack() as stack:
        bag = None if record is None else stack.enter_context(BagWriter(record, load_policy(policy_directory).contract))
        name = f"evaluate {policy_directory.name}"
        for result, episode in spread(work, seeds, workers=workers, desc=name, unit="episode"):
            results.append(result)
            if bag is not None and episode is not None:
                episode = shifted(episode, start_ns)
                write_episode(bag, episode)
                start_ns = episode.end_ns + PAUSE_NS
    return results
