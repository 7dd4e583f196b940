"""What benchmarks share: episodes of the simulated cell and models, made when first asked for, never kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rise_learning import train_policy
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.evaluation.agent import DeploymentConfig, PolicyAgent, noise_of_episode
from rise_learning.policy.checkpoint import TrainedPolicy, load_policy
from rise_learning.presets import PRESETS
from rise_learning.rl.imagination import Starts
from rise_robot.bag.episode import Episode
from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.writer import BagWriter
from rise_robot.collect import CollectConfig, collect
from rise_robot.core.contract import Contract, config_path
from rise_robot.recording import FIRST_START_NS, PAUSE_NS, collect_episode
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.robot import SimulatedRobot

EPISODES = 2
POLICY_DEMONSTRATIONS, POLICY_STEPS = 20, 300
"""Enough for a policy that follows the bricks, half a minute of training."""
UNSEEN = 1000
"""First seed of the episodes that it drives."""


class Workload:
    """Two demonstrations of the scripted expert under the tiny contract, and the preset `tiny`.

    Args:
        directory: for bags and caches.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.contract = Contract.load(config_path("contract_tiny.yaml"))
        self.preset = PRESETS["tiny"]

    @cached_property
    def recorded(self) -> list[Episode]:
        """EPISODES episodes, one after the other."""
        robot = SimulatedRobot(self.contract, "brick_sorting", BrickSortingConfig(bricks=1))
        episodes: list[Episode] = []
        try:
            for seed in range(EPISODES):
                start_ns = episodes[-1].end_ns + PAUSE_NS if episodes else FIRST_START_NS
                robot.reset(seed)
                expert = BrickSortingExpert(robot, np.random.default_rng(seed))
                episodes.append(
                    collect_episode(
                        robot, expert, seed, episode_id=f"bench-{seed}", kind="demonstration", start_ns=start_ns
                    )
                )
        finally:
            robot.close()
        return episodes

    @cached_property
    def bag(self) -> Path:
        """One bag of `recorded`."""
        path = self.directory / "demonstrations"
        with BagWriter(path, self.contract) as bag:
            for episode in self.recorded:
                write_episode(bag, episode)
        return path

    @cached_property
    def episodes(self) -> EpisodeSet:
        """`bag` as training sees it."""
        return load_bags([self.bag], self.preset.image_size, workers=1)

    @cached_property
    def policy(self) -> TrainedPolicy:
        """An imitation policy, trained for the purpose."""
        demonstrations = self.directory / "many_demonstrations"
        collect(CollectConfig(episodes=POLICY_DEMONSTRATIONS), self.contract, demonstrations, progress=False)
        training = replace(self.preset.policy, loop=replace(self.preset.policy.loop, steps=POLICY_STEPS))
        run = self.directory / "run"
        train_policy.train(train_policy.Args((demonstrations,), run, imitation=True, threads=1, training=training))
        return load_policy(run / "imitation", self.contract)

    def answered(self, replan_steps: int, latency_steps: int) -> list[np.ndarray]:
        """Of every episode that `policy` drives, the (N, K, A) chunks that it answers, one every `replan_steps`."""
        robot = SimulatedRobot(self.contract, "brick_sorting", BrickSortingConfig(bricks=1))
        config = DeploymentConfig(replan_steps=replan_steps, latency_steps=latency_steps)
        episodes: list[np.ndarray] = []
        for seed in range(UNSEEN, UNSEEN + EPISODES):
            chunks: list[np.ndarray] = []

            def keep(_: Starts, sampled: np.ndarray, *__: object, into: list[np.ndarray] = chunks) -> int:
                into.append(sampled[0])
                return 0

            robot.reset(seed)
            agent = PolicyAgent(robot, self.policy, config, noise_of_episode(seed), keep)
            while robot.outcome == "running":
                robot.step(agent.action())
            episodes.append(np.stack(chunks))
        robot.close()
        return episodes


@contextmanager
def temporary_workload() -> Iterator[Workload]:
    """A workload whose bags and cache ($RISE_CACHE meanwhile) are gone afterwards."""
    before = os.environ.get("RISE_CACHE")
    with TemporaryDirectory(prefix="rise_bench_") as directory:
        os.environ["RISE_CACHE"] = str(Path(directory) / "cache")
        try:
            yield Workload(Path(directory))
        finally:
            if before is None:
                del os.environ["RISE_CACHE"]
            else:
                os.environ["RISE_CACHE"] = before
