"""Many evaluation episodes of one policy in the simulated robot, spread over processes, each decided by physics."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.episode import Agent, stream_episode
from rise_robot.sim.robot import SimulatedRobot
from tqdm import tqdm

from rise_learning.evaluation.agent import DeploymentConfig, PolicyAgent
from rise_learning.evaluation.statistics import wilson_interval
from rise_learning.policy.checkpoint import load_policy


@dataclass(frozen=True)
class EpisodeResult:
    """What one episode came to; `events` are the rubric's, in order."""

    seed: int
    success: bool
    score: float
    duration_s: float
    events: tuple[str, ...]


def run_agent(robot: SimulatedRobot, agent: Agent, seed: int) -> EpisodeResult:
    """One episode, rendered only where the agent looks."""
    events = [event.name for tick in stream_episode(robot, agent, seed, render=False) for event in tick.events]
    return EpisodeResult(seed, robot.outcome == "success", robot.score, robot.time, tuple(events))


def evaluate_seed(policy_directory: Path, deployment: DeploymentConfig, task: BrickSortingConfig, seed: int) -> EpisodeResult:
    """One episode in a worker process; the policy and the simulator are loaded once per process."""
    trained, robot = _worker(policy_directory, task)
    return run_agent(robot, PolicyAgent(robot, trained.policy, deployment, np.random.default_rng(seed)), seed)


_LOADED: dict = {}


def _worker(policy_directory: Path, task: BrickSortingConfig):
    key = (policy_directory, task)
    if key not in _LOADED:
        torch.set_num_threads(1)
        _LOADED.clear()
        trained = load_policy(policy_directory)
        _LOADED[key] = (trained, SimulatedRobot(trained.contract, "brick_sorting", task))
    return _LOADED[key]


def evaluate_policy(
    policy_directory: Path,
    deployment: DeploymentConfig,
    task: BrickSortingConfig,
    seeds: list[int],
    *,
    workers: int = 2,
) -> list[EpisodeResult]:
    """Results in the order of `seeds`."""
    work = partial(evaluate_seed, policy_directory, deployment, task)
    with ProcessPoolExecutor(workers) as pool:
        return list(tqdm(pool.map(work, seeds), total=len(seeds), desc=f"evaluate {policy_directory.name}", unit="episode"))


def summarize(results: list[EpisodeResult]) -> dict:
    """Counts, success rate, Wilson interval and mean score, as summary.json has them."""
    successes = sum(result.success for result in results)
    return {
        "episodes": len(results),
        "successes": successes,
        "success_rate": successes / len(results),
        "wilson95": list(wilson_interval(successes, len(results))),
        "score_mean": float(np.mean([result.score for result in results])),
        "seeds": [results[0].seed, results[-1].seed],
    }
