"""An expert takes over once, when a failure is imminent; the frames say who commanded."""

from __future__ import annotations

import numpy as np
import pytest

from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.reader import read_episodes
from rise_robot.bag.writer import BagWriter
from rise_robot.core.contract import Contract, config_path
from rise_robot.recording import collect_episode
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.corruption import Corruption
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.intervention import InterventionAgent
from rise_robot.sim.robot import SimulatedRobot

TINY = Contract.load(config_path("contract_tiny.yaml"))


@pytest.fixture(scope="module")
def robot() -> SimulatedRobot:
    return SimulatedRobot(TINY, config=BrickSortingConfig(bricks=1, belt_speed=(0.05, 0.07)))


def supervised(robot: SimulatedRobot, corruption: Corruption) -> InterventionAgent:
    policy = BrickSortingExpert(robot, np.random.default_rng(1), corruption)
    return InterventionAgent(robot, policy, np.random.default_rng(0))


def run(robot: SimulatedRobot, agent: InterventionAgent, seed: int) -> list[bool]:
    robot.reset(seed)
    agent.reset()
    human = []
    while robot.outcome == "running":
        robot.step(agent.action())
        human.append(agent.human)
    return human


@pytest.mark.parametrize(
    ("corruption", "reason"),
    [
        (Corruption(grasp_offset=0.05), "missed grasp"),
        (Corruption(no_close=True), "too late"),
        (Corruption(wrong_bin=True), "wrong bin"),
    ],
)
def test_failures_are_seen_and_corrected_once(robot: SimulatedRobot, corruption: Corruption, reason: str) -> None:
    agent = supervised(robot, corruption)
    human = run(robot, agent, seed=11)
    assert agent.reason == reason and robot.outcome == "success"
    assert not human[0] and human[-1] and np.count_nonzero(np.diff(human)) == 1, "taken over once, never handed back"


def test_a_good_policy_is_left_alone(robot: SimulatedRobot) -> None:
    for seed in range(5):
        assert not any(run(robot, supervised(robot, Corruption()), seed)) and robot.outcome == "success"


def test_bag_says_who_commanded(robot: SimulatedRobot, tmp_path) -> None:
    agent = supervised(robot, Corruption(grasp_offset=0.05))
    episode = collect_episode(robot, agent, 11, episode_id="help", kind="dagger")
    with BagWriter(tmp_path / "bag", TINY) as bag:
        write_episode(bag, episode)
    (found,) = read_episodes(tmp_path / "bag")
    assert found.kind == "dagger" and found.human.any() and not found.human.all()
    np.testing.assert_array_equal(found.human, episode.human)
