"""Random motion as a way to collect: repeatable, within the limits, of both arms, and without anything of an expert."""

from __future__ import annotations

import numpy as np
import pytest

from rise_robot.collect import Collector
from rise_robot.collect_config import CollectConfig
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SimulationError

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))


def commands(seed: int) -> np.ndarray:
    collector = Collector(CollectConfig(kind="rollout", agent="random"), CONTRACT)
    episode = collector.episode(seed)
    collector.close()
    assert episode.kind == "rollout" and "-random-" in episode.episode_id
    return episode.commands


def test_random_motion_is_smooth_within_limits_and_of_both_arms() -> None:
    found, again = commands(5), commands(5)
    assert np.array_equal(found, again)
    assert not np.array_equal(found, commands(6)[: len(found)])
    assert (found >= CONTRACT.joint_array("lower")).all() and (found <= CONTRACT.joint_array("upper")).all()
    speed = np.abs(np.diff(found, axis=0)) * CONTRACT.control_rate_hz
    assert (speed <= 0.7 * CONTRACT.joint_array("max_velocity") + 1e-6).all()
    arms = found.std(0).reshape(2, 7)
    assert (arms[:, :3] > 0.05).all() and (arms[:, 6] > 0.002).all()


def test_random_motion_is_no_demonstration_and_takes_no_corruption() -> None:
    for settings in ({}, {"kind": "rollout", "corruption_rate": 0.5}, {"kind": "rollout", "noise": (0.0, 0.1)}):
        with pytest.raises(SimulationError, match="random motion is a rollout"):
            CollectConfig(agent="random", **settings)
    with pytest.raises(SimulationError, match="unknown agent 'robot'"):
        CollectConfig(agent="robot")


def test_bags_of_experts_keep_their_identity() -> None:
    assert CollectConfig(seed=3).digest == CollectConfig(seed=9, agent="expert").digest == "adf910"
    assert CollectConfig(kind="rollout", agent="random").digest != CollectConfig(kind="rollout").digest
