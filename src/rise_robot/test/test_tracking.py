"""How joints follow commands: recovered from recordings, and pictures of where that leads."""

from __future__ import annotations

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.tracking import JointTracking
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.control_maps import ControlMapRenderer, can_draw
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.robot import SimulatedRobot

TINY = Contract.load(config_path("contract_tiny.yaml"))


def test_gains_are_recovered_and_an_unmoved_joint_follows_at_once() -> None:
    rng, true = np.random.default_rng(0), JointTracking((0.3, 0.8, 0.5))
    commands = rng.normal(size=(200, 3))
    commands[:, 2] = 0.7
    positions = np.concatenate([[[0.0, 0.0, 0.7]], true.follow(np.array([0.0, 0.0, 0.7]), commands)])[:-1]
    assert JointTracking.fit([(positions, commands)]).gain == pytest.approx((0.3, 0.8, 1.0))


def test_batches_follow_like_single_chunks() -> None:
    tracking, rng = JointTracking((0.3, 0.6)), np.random.default_rng(1)
    start, commands = rng.normal(size=(4, 2)), rng.normal(size=(4, 7, 2))
    together = tracking.follow(start, commands)
    for row in range(4):
        np.testing.assert_array_equal(together[row], tracking.follow(start[row], commands[row]))


def test_maps_equal_the_camera_except_for_the_bricks() -> None:
    """Drawn where the simulated arms really are, a map differs from the camera's image in a few brick pixels only."""
    robot = SimulatedRobot(TINY, config=BrickSortingConfig(bricks=1, lighting=(1.0, 1.0)))
    robot.reset(3)
    expert = BrickSortingExpert(robot, np.random.default_rng(0))
    for _ in range(45):
        robot.step(expert.action())
    camera = TINY.cameras[0]
    maps = ControlMapRenderer(TINY, (camera.height, camera.width))
    (drawn,) = maps.render(robot.joint_positions[None])
    seen = np.stack([robot.render()[name] for name in TINY.camera_names])
    differs = np.abs(drawn.astype(int) - seen).max(-1) > 40
    assert differs.sum() > 5 and differs.mean() < 0.05
    home = maps.render(np.tile(TINY.joint_array("lower"), (1, 1)))[0]
    assert (np.abs(home.astype(int) - seen).max(-1) > 40).mean() > 0.05, "other joints give other maps"


def test_only_the_modelled_cell_can_be_drawn() -> None:
    assert can_draw(TINY) and not can_draw(Contract.load(config_path("contract_droid.yaml")))
