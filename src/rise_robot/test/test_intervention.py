"""An expert takes over once, when a failure is imminent; the frames say who commanded."""

from __future__ import annotations

import numpy as np
import pytest

from rise_robot import collect
from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.reader import read_episodes
from rise_robot.bag.writer import BagWriter
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SimulationError
from rise_robot.recording import collect_episode
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.corruption import Corruption, Mishap
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.experts import make_expert
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


@pytest.mark.parametrize(
    ("task", "seed", "mishap", "reason"),
    [
        ("box_closing", 5, Mishap("cup_miss", miss=0.03), "tipped cup"),
        ("box_closing", 0, Mishap("cup_drop"), "slip"),
        ("backpack_packing", 0, Mishap("clothes_drop"), "slip"),
        ("backpack_packing", 0, Mishap("zip_short"), "no headway"),
    ],
)
def test_other_tasks_are_corrected_as_well(task: str, seed: int, mishap: Mishap, reason: str) -> None:
    """Always the same mistake: the policy alone fails, and the expert that takes over finishes."""
    robot = SimulatedRobot(TINY, task)
    agent = InterventionAgent(robot, make_expert(robot, np.random.default_rng(1), mishap), np.random.default_rng(0))
    human = run(robot, agent, seed)
    assert (agent.reason, robot.outcome, robot.score) == (reason, "success", 10.0)
    assert not human[0] and human[-1] and np.count_nonzero(np.diff(human)) == 1


@pytest.mark.parametrize("task", ["backpack_packing", "box_closing"])
def test_the_experts_of_other_tasks_are_left_alone(task: str) -> None:
    robot = SimulatedRobot(TINY, task)
    agent = InterventionAgent(robot, make_expert(robot, np.random.default_rng(1)), np.random.default_rng(0))
    assert not any(run(robot, agent, seed=1000)) and robot.outcome == "success"


def test_a_policy_that_does_nothing_is_taken_over_from_while_there_is_time() -> None:
    robot = SimulatedRobot(TINY, "box_closing")
    robot.reset(3)
    still = robot.command
    agent = InterventionAgent(robot, Still(still), np.random.default_rng(0))
    human = run(robot, agent, 3)
    assert (agent.reason, robot.outcome) == ("no headway", "success")
    assert 5.0 < human.index(True) * TINY.control_period_s < 7.0


class Still:
    """A policy that never moves."""

    def __init__(self, command: np.ndarray) -> None:
        self.command = command

    def reset(self) -> None:
        pass

    def action(self) -> np.ndarray:
        return self.command


def test_collect_keeps_the_episodes_in_which_somebody_took_over(tmp_path) -> None:
    config = collect.CollectConfig(
        task="box_closing", kind="dagger", episodes=1, seed=0, corruptions=("cup_drop",), corruption_rate=1.0,
        corruption_probability=1.0,
    )  # fmt: skip
    summary = collect.collect(config, TINY, tmp_path / "bag", progress=False)
    (found,) = read_episodes(tmp_path / "bag")
    assert (found.kind, found.outcome, summary.successes) == ("dagger", "success", 1)
    assert found.human.any() and not found.human[:60].any()


def test_collect_refuses_corrections_of_what_never_fails() -> None:
    with pytest.raises(SimulationError, match="nothing would call for a correction"):
        collect.CollectConfig(kind="dagger")
    config = collect.CollectConfig(kind="dagger", episodes=1, noise=(0.0, 1e-6))
    summary = collect.CollectSummary("bag", config.task, config.kind, "tiny", discarded=24, attempts=24)
    with pytest.raises(SimulationError, match="24 of 24 episodes were no dagger: nothing called for a correction"):
        collect._refuse_unfit(config, summary)
