"""The best of several chunks at run time: who sees what, and that nothing but the choice changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import untrained, untrained_policy

from rise_learning.evaluation import agent as agent_module
from rise_learning.evaluation.agent import DeploymentConfig, PolicyAgent, sample_once
from rise_learning.evaluation.choice import ImaginedChoice, SimulatedChoice
from rise_learning.evaluation.rehearsal import RehearsingAgent
from rise_learning.policy.interface import PolicyInput
from rise_learning.rl.imagination import Imagined, Starts
from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.episode import run_episode
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.robot import SimulatedRobot

TINY = Contract.load(config_path("contract_tiny.yaml"))


@pytest.fixture(scope="module")
def robot() -> SimulatedRobot:
    return SimulatedRobot(TINY, config=BrickSortingConfig(bricks=1))


class Writes:
    """A world model that likes the third chunk and writes down what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[Starts, np.ndarray]] = []

    def imagine(self, starts, chunks, seed):
        self.seen.append((starts, chunks.numpy()))
        return Imagined(starts.context, (np.arange(len(chunks)) == 2)[:, None])


def test_the_chosen_chunk_is_played_and_the_judge_sees_the_context(robot: SimulatedRobot) -> None:
    judge, config = Writes(), DeploymentConfig(candidates=4, latency_steps=2, replan_steps=10)
    agent = PolicyAgent(robot, untrained(TINY), config, np.random.default_rng(0), ImaginedChoice(judge))
    robot.reset(3)
    agent.reset()
    played = []
    for _ in range(20):
        played.append(agent.action())
        robot.step(played[-1])
    (first, chunks), (second, later) = judge.seen
    assert first.context.shape == (4, TINY.context_frames, 3, 48, 64, 3) and chunks.shape == (4, 50, TINY.action_dim)
    np.testing.assert_allclose(played[:10], chunks[2, :10], atol=1e-6)
    np.testing.assert_allclose(played[10:], later[2, :10], atol=1e-6)  # judged is what the ensembler makes of it
    np.testing.assert_allclose(later[:, :2], np.tile(chunks[2, 10:12], (4, 1, 1)), atol=1e-6)  # while it is on its way
    moved = second.context[0].float().diff(dim=0).abs().amax((1, 2, 3, 4))
    assert (moved > 0).all(), "four different frames, the oldest six steps ago"


def test_candidates_but_the_first_can_come_early_or_late(robot: SimulatedRobot) -> None:
    shown = []
    for time_shift in (0.0, 4.0):
        judge, config = Writes(), DeploymentConfig(candidates=4, time_shift=time_shift)
        agent = PolicyAgent(robot, untrained(TINY), config, np.random.default_rng(0), ImaginedChoice(judge))
        robot.reset(3)
        agent.reset()
        agent.action()
        shown.append(judge.seen[0][1])
    np.testing.assert_array_equal(shown[0][:, 0], shown[1][:, 0])  # both leave from where the robot is
    assert (shown[0][:, -20] != shown[1][:, -20]).any(axis=1).tolist() == [False, True, True, True]


def test_what_is_played_can_be_explored_without_anybody_choosing(robot: SimulatedRobot) -> None:
    played = []
    for config in (DeploymentConfig(), DeploymentConfig(time_shift=4.0), DeploymentConfig(tool_shift=0.05)):
        agent = PolicyAgent(robot, untrained(TINY), config, np.random.default_rng(1))
        robot.reset(3)
        agent.reset()
        played.append([agent.action() for _ in range(10)])
    np.testing.assert_array_equal(played[0][0], played[1][0])
    assert (np.abs(np.subtract(played[1:], played[0])).max(axis=(1, 2)) > 1e-3).all()


def test_without_noise_the_most_typical_chunk_is_asked_for(robot: SimulatedRobot) -> None:
    policy = untrained_policy(TINY)
    inputs = PolicyInput(
        torch.zeros(2, 2, 3, 48, 64, 3, dtype=torch.uint8), torch.zeros(2, 14), ["go"] * 2, torch.tensor([10, 10])
    )
    sampled, typical = (
        sample_once(policy, inputs, np.random.default_rng(0), DeploymentConfig(noise_scale=scale))
        for scale in (1.0, 0.0)
    )
    assert np.abs(sampled[0] - sampled[1]).max() > 1e-3
    np.testing.assert_allclose(typical[0], typical[1], atol=1e-5)


def test_the_simulator_chooses_what_gets_further_and_stays_where_it_is(robot: SimulatedRobot) -> None:
    robot.reset(4)
    expert = BrickSortingExpert(robot, np.random.default_rng(0))
    for _ in range(20):
        robot.step(expert.action())
    saved, commands = robot.get_state(), []
    for _ in range(TINY.chunk_size):
        commands.append(expert.action())
        robot.step(commands[-1])
    robot.set_state(saved)
    still = np.tile(robot.command, (TINY.chunk_size, 1))
    starts = Starts(None, None, [])  # type: ignore[arg-type]  # it looks at the robot only
    assert SimulatedChoice()(starts, np.stack([still, np.array(commands), still]), robot, np.random.default_rng(0)) == 1
    np.testing.assert_array_equal(robot.get_state().physics, saved.physics)


def test_the_choice_can_look_at_the_end_of_a_chunk_only(robot: SimulatedRobot) -> None:
    class Ends(Writes):
        def imagine(self, starts, chunks, seed):
            assert chunks.dtype == torch.float32, "as models take them"
            rises = np.zeros((len(chunks), 5), np.float32)
            rises[0, :4], rises[1, 4] = 1.0, 1.0  # the first is ahead all the way, the second at the end
            return Imagined(starts.context, rises)

    starts, chunks = Starts(torch.zeros(1, 4, 3, 2, 2, 3), torch.zeros(1, 14), [""]), np.zeros((3, 50, 14))
    assert [ImaginedChoice(Ends(), n)(starts, chunks, robot, np.random.default_rng(0)) for n in (0, 1)] == [0, 1]


def test_the_own_chunk_is_played_unless_another_is_clearly_better(robot: SimulatedRobot) -> None:
    """The best of many is also the one that imagination errs most in favour of."""

    class Rises(Writes):
        def imagine(self, starts, chunks, seed):
            return Imagined(starts.context, np.array([[0.5], [0.6], [0.9]], np.float32))

    starts, chunks = Starts(torch.zeros(1, 4, 3, 2, 2, 3), torch.zeros(1, 14), [""]), np.zeros((3, 50, 14))
    chosen = [
        ImaginedChoice(Rises(), 0, tolerance)(starts, chunks, robot, np.random.default_rng(0))
        for tolerance in (0.0, 0.35, 0.45)
    ]
    assert chosen == [2, 1, 0], "the best, the most typical of what is about as good, the policy's own"


def test_a_rehearsal_chooses_by_how_the_episode_ends_and_is_then_what_happens(robot, monkeypatch) -> None:
    """The policy's own chunk leads away from what it can do; only the end of the episode tells."""
    seed, shift = 4, 0.3
    recording = run_episode(robot, BrickSortingExpert(robot, np.random.default_rng(0)), seed, render=False)
    commands = np.concatenate([recording.commands, np.tile(recording.commands[-1], (TINY.chunk_size, 1))])
    asked = []

    def knows_one_way(policy, inputs, rng, config):
        """As recorded while the arms are where they were then, else not at all; at first its own chunk goes astray."""
        step, count = min(robot.control_step, len(commands) - TINY.chunk_size), len(inputs.bins)
        on_the_way = np.abs(robot.joint_positions - recording.joint_positions[step]).max() < 0.05
        still = np.tile(robot.command, (TINY.chunk_size, 1))
        chunks = np.stack([commands[step : step + TINY.chunk_size] if on_the_way else still] * count)
        chunks[0] += shift * (count > 1)
        asked.append((step, count))
        return chunks.astype(np.float32)

    monkeypatch.setattr(agent_module, "sample_once", knows_one_way)
    monkeypatch.setattr(PolicyAgent, "_observe", lambda self: np.zeros((3, 48, 64, 3), np.uint8))
    outcomes = []
    for candidates in (2, 3):
        asked.clear()
        config = DeploymentConfig(candidates=candidates, tool_shift=1e-4)
        rehearsing = RehearsingAgent(robot, untrained(TINY), config, np.random.default_rng(0))
        outcomes.append(run_episode(robot, rehearsing, seed, render=False).outcome)
        assert [step for step, count in asked if count > 1] == [0], "what is known to succeed is not asked again"
    alone = PolicyAgent(robot, untrained(TINY), DeploymentConfig(candidates=3), np.random.default_rng(0), lambda *_: 0)
    assert outcomes == ["success"] * 2
    assert run_episode(robot, alone, seed, render=False).outcome == "failure"
