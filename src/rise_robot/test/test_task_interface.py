"""Every task behind one interface; brick sorting is what it was before there was one."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SimulationError
from rise_robot.node_table import BringupOptions
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.corruption import Corruption
from rise_robot.sim.environment import TaskEnvironment
from rise_robot.sim.episode import run_episode
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.experts import EXPERTS
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.tasks import TASKS, level_config

TINY = Contract.load(config_path("contract_tiny.yaml"))

# (bricks, seed, corrupted): outcome, score, control periods and the first joints at the end, as recorded before the
# tasks had an interface. Chaotic contacts would carry any change of the model or of the draws into these numbers.
RECORDED = {
    (1, 0, False): ("success", 2.5, 123, [0.06426, 0.53451, -0.4072]),
    (1, 0, True): ("failure", 1.0, 167, [-0.05542, 0.30614, -0.28549]),
    (1, 1, False): ("success", 2.5, 101, [-0.08195, 0.59253, -0.45825]),
    (1, 1, True): ("success", 2.5, 109, [-0.06994, 0.51587, -0.40578]),
    (1, 7, False): ("success", 2.5, 102, [-0.0, 0.05, -0.1]),
    (1, 7, True): ("failure", 1.0, 124, [0.00188, 0.04227, -0.10093]),
    ((1, 4), 0, False): ("success", 10.0, 299, [-0.0003, 0.05351, -0.10238]),
    ((1, 4), 0, True): ("success", 10.0, 306, [-0.07427, 0.68878, -0.60595]),
    ((1, 4), 1, False): ("success", 5.0, 102, [-0.07289, 0.53246, -0.41867]),
    ((1, 4), 1, True): ("failure", 3.5, 117, [-0.0581, 0.4304, -0.36545]),
    ((1, 4), 7, False): ("success", 10.0, 267, [-0.07496, 0.96743, -0.82842]),
    ((1, 4), 7, True): ("failure", 8.5, 266, [-0.11849, 1.04101, -0.8741]),
}


@pytest.mark.parametrize(("bricks", "seed", "corrupted"), RECORDED)
def test_brick_sorting_is_the_same_as_before_the_interface(bricks, seed, corrupted):
    robot = SimulatedRobot(TINY, config=BrickSortingConfig(bricks=bricks))
    corruption = Corruption(joint_noise=0.02, drop=True, probability=0.5) if corrupted else None
    expert = BrickSortingExpert(robot, np.random.default_rng(seed), corruption)
    recording = run_episode(robot, expert, seed, render=False)
    outcome, score, periods, joints = RECORDED[bricks, seed, corrupted]
    assert (recording.outcome, recording.score, len(recording.commands)) == (outcome, score, periods)
    np.testing.assert_allclose(recording.joint_positions[-1][:3], joints, atol=1e-4)


def test_bringup_offers_the_tasks_and_levels_that_there_are():
    choices = {option.name: option.metadata["choices"] for option in fields(BringupOptions)}
    assert set(choices["task"]) == set(TASKS) == set(EXPERTS)
    assert set(choices["level"]) == {level for spec in TASKS.values() for level in spec.levels}


def test_unknown_task_level_and_config_of_another_task_are_refused():
    with pytest.raises(SimulationError, match="unknown task 'laundry'; known ones are"):
        level_config("laundry")
    for task in TASKS:
        with pytest.raises(SimulationError, match="unknown level 'brutal'.*easy.*default.*hard"):
            level_config(task, "brutal")
        with pytest.raises(SimulationError, match=f"{task} takes a"):
            SimulatedRobot(TINY, task, config="fast")


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_and_actions_give_the_same_trajectory_and_frames(task):
    def observations(environment, seed, level="default"):
        found = [environment.reset(seed, level)]
        for step in range(6):
            found.append(environment.step(found[0].state + 0.01 * step).observation)
        return [(seen.state.tobytes(), {n: image.tobytes() for n, image in seen.images.items()}) for seen in found]

    with TaskEnvironment(task, TINY) as one, TaskEnvironment(task, TINY) as other:
        first = observations(one, 11)
        observations(one, 12, "hard")  # in between another scene, another level
        assert observations(one, 11) == first == observations(other, 11)
        assert observations(other, 12) != first
        assert set(first[0][1]) == set(TINY.camera_names)


@pytest.mark.parametrize("task", TASKS)
def test_an_episode_in_which_nothing_is_done_fails_with_a_reason(task):
    with TaskEnvironment(task, TINY, render=False) as environment:
        observation = environment.reset(3, "easy")
        assert environment.instruction.endswith(".") and environment.outcome == "running"
        assert (environment.score, environment.failure_reason, observation.images) == (0.0, "", {})
        while environment.outcome == "running":
            last = environment.step(environment.robot.command)
        assert last.outcome == "failure" and not environment.success and environment.score == 0.0
        assert environment.failure_reason == ("missed grasp" if task == "brick_sorting" else "timeout")


@pytest.mark.parametrize("task", TASKS)
def test_objects_are_out_of_every_picture_once_the_scene_is_cleared(task):
    """Control maps show the robot and what stands still; they do not depend on the episode."""
    maps = []
    for seed in (0, 1):
        robot = SimulatedRobot(TINY, task)
        robot.reset(seed)
        robot.clear_scene()
        robot.place(np.tile([0.0, 1.2, -0.9, 0.0, 0.6, 0.0, 0.05], 2))
        maps.append(robot.render())
        robot.close()
    assert all(np.array_equal(maps[0][name], maps[1][name]) for name in TINY.camera_names)
