"""Evaluation: what is recorded is what was evaluated."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rise_learning.errors import ConfigError
from rise_learning.evaluate import Args, evaluate
from rise_learning.evaluation.agent import DeploymentConfig, PolicyAgent, noise_of_episode
from rise_learning.evaluation.results import EpisodeResult, sentence, summarize
from rise_learning.evaluation.runner import _worker
from rise_learning.policy.checkpoint import TrainedPolicy, save_policy
from rise_learning.policy.config import PolicyConfig
from rise_learning.policy.flow_policy import FlowPolicy
from rise_robot.bag.check import check_bag
from rise_robot.bag.reader import read_episodes
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import BagError, SimulationError
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.episode import run_episode
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.tasks import TaskSetting

TINY = Contract.load(config_path("contract_tiny.yaml"))
SHORT = BrickSortingConfig(bricks=1, time_limit=2.0)


def small_policy() -> FlowPolicy:
    """Untrained: what it does is nonsense, that it looks at its pictures is not."""
    torch.manual_seed(0)
    return FlowPolicy(PolicyConfig(channels=(4, 4, 4), view_features=8, width=32, blocks=1, basis_size=16)).eval()


@pytest.mark.parametrize("replan_steps", [10, 7])
def test_recording_does_not_change_what_the_policy_does(replan_steps: int) -> None:
    """Frames rendered lazily and frames handed over by the recording give the same commands."""
    robot, policy = SimulatedRobot(TINY, config=SHORT), small_policy()
    commands = []
    for render in (False, True):
        deployment = DeploymentConfig(replan_steps=replan_steps, flow_steps=2)
        agent = PolicyAgent(robot, TrainedPolicy(policy, TINY, None, "small"), deployment, np.random.default_rng(3))
        commands.append(run_episode(robot, agent, seed=5, render=render).commands)
    robot.close()
    assert len(commands[0]) == 60
    assert np.array_equal(*commands)


def test_what_a_policy_draws_says_nothing_of_its_scene() -> None:
    """A scene is drawn from its seed; chunks that began as the same numbers would know where the bricks are."""
    scene, noise = np.random.default_rng(7).standard_normal(200), noise_of_episode(7).standard_normal(200)
    assert not np.isin(scene, noise).any()
    assert np.array_equal(noise, noise_of_episode(7).standard_normal(200))


def test_a_policy_that_was_written_anew_is_the_one_that_is_evaluated(tmp_path: Path) -> None:
    """As in self_improve --threads 1 --evaluation.every: its candidates go to one directory, one after the other."""
    versions = []
    for version in ("first", "second"):
        save_policy(tmp_path, small_policy(), TINY, None, version)
        trained, robot = _worker(tmp_path, TaskSetting("brick_sorting", SHORT))
        versions.append(trained.version)
        assert _worker(tmp_path, TaskSetting("brick_sorting", SHORT))[1] is robot, "loaded once"
    robot.close()
    assert [version.partition("-")[0] for version in versions] == ["first", "second"]


def test_recorded_episodes_are_the_evaluated_ones(tmp_path: Path) -> None:
    save_policy(tmp_path / "policy", small_policy(), TINY, None, "run/policy@0")
    args = Args(
        tmp_path / "policy", episodes=2, seed=40, workers=1, record=tmp_path / "bag", out=tmp_path / "result.json"
    )
    evaluate(args)
    told = json.loads(args.out.read_text())
    assert told["failures"] == {"missed grasp": 2} and told["results"][0]["failure"] == "missed grasp"
    found = list(read_episodes(tmp_path / "bag"))
    assert [(e.seed, e.kind, e.outcome) for e in found] == [(40, "rollout", "failure"), (41, "rollout", "failure")]
    assert not any(report.refused for report in check_bag(tmp_path / "bag").episodes)
    with pytest.raises(BagError, match="exists already"):
        evaluate(args)


def test_failures_are_counted_by_why_where_it_is_known() -> None:
    whys = ("slip", "", "missed grasp", "missed grasp", "")
    summary = summarize([EpisodeResult(seed, seed == 1, 0.0, 1.0, (), why) for seed, why in enumerate(whys)])
    assert list(summary["failures"].items()) == [("missed grasp", 2), ("slip", 1)]
    assert sentence("it", summary).endswith("; failed: 2 missed grasp, 1 slip")
    assert sentence("it", {**summary, "failures": {}}).endswith("mean score 0.00")


def test_every_task_can_be_evaluated_at_its_levels(tmp_path: Path) -> None:
    save_policy(tmp_path / "policy", small_policy(), TINY, None, "run/policy@0")
    args = Args(tmp_path / "policy", task="box_closing", level="easy", episodes=1, workers=1, record=tmp_path / "bag")
    evaluate(args)
    stored = json.loads((tmp_path / "bag.json").read_text())
    assert not (tmp_path / "policy" / "evaluation.json").exists(), "what is recorded is no evaluation"
    assert (stored["task"], stored["successes"], stored["results"][0]["events"]) == ("box_closing", 0, ["failed"])
    (episode,) = read_episodes(tmp_path / "bag")
    assert (episode.task, episode.outcome) == ("box_closing", "failure")
    with pytest.raises(ConfigError, match="say with --record where they go"):
        evaluate(dataclasses.replace(args, intervene=True, record=None))
    with pytest.raises(SimulationError, match="box_closing has no bricks"):
        evaluate(dataclasses.replace(args, bricks=2))
