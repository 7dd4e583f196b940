"""The tasks through Gymnasium: its own checker, seeds, rewards, and stepping in several processes."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rise_robot.core.errors import SimulationError
from rise_robot.gym import ENVIRONMENTS
from rise_robot.sim.experts import make_expert
from rise_robot.sim.task import MAX_SCORE


def test_every_task_is_registered():
    assert ENVIRONMENTS["brick_sorting"] == "rise/BrickSorting-v0" and len(ENVIRONMENTS) == 3


@pytest.mark.parametrize("identifier", ENVIRONMENTS.values())
def test_gymnasiums_checker_passes(identifier):
    environment = gymnasium.make(identifier, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized space")  # joints are absolute, in rad
        check_env(environment.unwrapped)
    environment.close()


def test_the_same_seed_and_actions_give_the_same_frames_and_another_seed_others():
    environment = gymnasium.make("rise/BoxClosing-v0")

    def frames(seed):
        seen, _ = environment.reset(seed=seed)
        action = seen["state"].copy()
        action[:2] += 0.1
        seen, *_ = environment.step(np.clip(action, environment.action_space.low, environment.action_space.high))
        return seen

    first, again, other = frames(3), frames(3), frames(4)
    assert set(first) == {"state", "top", "wrist_left", "wrist_right"}
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["top"], other["top"])
    environment.close()


def test_rewards_of_an_episode_sum_to_its_score_and_info_says_how_it_ended():
    environment = gymnasium.make("rise/BrickSorting-v0", images=False, level="easy")
    environment.reset(seed=1)
    expert = make_expert(environment.unwrapped.environment.robot)
    total, over = 0.0, False
    while not over:
        _, reward, over, truncated, info = environment.step(expert.action().astype(np.float32))
        total += reward
    assert info["is_success"] and info["failure_reason"] == "" and not truncated
    assert total == pytest.approx(info["score"] / MAX_SCORE) == 0.25
    environment.close()


def test_level_of_a_reset_and_unknown_ones():
    environment = gymnasium.make("rise/BrickSorting-v0", images=False)
    environment.reset(seed=0, options={"level": "hard"})
    assert len(environment.unwrapped.environment.robot.task.setup.bricks) == 4
    with pytest.raises(SimulationError, match="unknown level"):
        environment.reset(options={"level": "brutal"})
    with pytest.raises(SimulationError, match="unknown level"):
        gymnasium.make("rise/BoxClosing-v0", level="brutal")
    environment.close()


def test_processes_step_as_one_environment_would():
    many = gymnasium.make_vec("rise/BoxClosing-v0", num_envs=2, vectorization_mode="async", images=False)
    one = gymnasium.make("rise/BoxClosing-v0", images=False)
    seen, _ = many.reset(seed=[5, 6])
    actions = seen["state"] + np.float32(0.01)
    actions = np.clip(actions, many.single_action_space.low, many.single_action_space.high)
    for _ in range(3):
        stepped, *_ = many.step(actions)
    for row, seed in enumerate((5, 6)):
        one.reset(seed=seed)
        for _ in range(3):
            alone, *_ = one.step(actions[row])
        assert np.array_equal(stepped["state"][row], alone["state"])
    many.close()
    one.close()
