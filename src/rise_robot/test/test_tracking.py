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


def gripped(rng: np.random.Generator, width: float, *, closed: float = 0.02, opened: float = 0.07) -> tuple:
    """Positions and commands (T, 1) of a gripper that closes on something `width` wide, holds it, and lets go."""
    commands = np.concatenate(
        [np.full(20, opened), np.linspace(opened, closed, 8), np.full(60, closed), np.linspace(closed, opened, 8)]
    )
    commands = commands + rng.normal(0, 1e-4, len(commands))
    position, positions = opened, []
    for command in commands:
        positions.append(position)
        position = max(position + 0.5 * (command - position), width)
    return np.array(positions)[:, None], commands[:, None]


def test_what_a_gripper_holds_does_not_make_it_slow() -> None:
    """Held for most of an episode it stands away from its command; fitted to that, it would close in seconds."""
    rng = np.random.default_rng(0)
    tracking = JointTracking.fit([gripped(rng, width) for width in (0.03, 0.036, 0.042)])
    assert tracking.gain == pytest.approx((0.5,), abs=0.02)
    assert 0.002 < tracking.stopped_from[0] < 0.012, "from about half of how far objects keep it from its command"


def test_a_gripper_that_is_stopped_stays_until_it_is_opened() -> None:
    rng, tracking = np.random.default_rng(1), JointTracking((0.5,), (0.006,))
    positions, commands = gripped(rng, 0.036)
    holding, opening = 40, 88
    followed = tracking.follow(positions[holding], commands[holding:])
    np.testing.assert_allclose(followed[: opening - holding], 0.036, atol=1e-6)
    assert followed[-1] > 0.055, "it opens with its command"
    closing = tracking.follow(positions[22], commands[22:60])
    assert closing[-1] < 0.021, "while it closes nobody knows on what: entirely"
    still = tracking.follow(np.array([0.0701]), commands[:60])
    assert still[-1] < 0.021, "a little beside a steady command is not stopped"


def test_joints_that_nothing_stops_follow_from_afar() -> None:
    tracking = JointTracking((0.5, 0.5), (float("inf"), 0.006))
    followed = tracking.follow(np.zeros(2), np.full((12, 2), -1.0))
    assert followed[-1, 0] == pytest.approx(-1.0, abs=1e-3) and followed[-1, 1] == 0.0


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
