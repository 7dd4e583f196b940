"""Joints that stand elsewhere are led to the commands slowly, and what continues is passed on unchanged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from piper_world import CONTRACT, World

from rise_robot.core.engagement import Engagement
from rise_robot.core.errors import JointCommandRefusedError

MEASURED = np.tile([0.2, 0.4, -0.4, 0.1, 0.1, -0.1, 0.03], 2)
PERIOD_NS = 5_000_000


def targets(engagement: Engagement, commands: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """(N, A) of commands (N, A), one per 5 ms, the first of which engages."""
    engagement.begin(0, commands[0], measured)
    return np.array([engagement.target(i * PERIOD_NS, command) for i, command in enumerate(commands)])


def test_the_first_target_is_where_the_joints_are_and_the_way_from_there_is_slow() -> None:
    command = MEASURED + 0.08 * np.eye(14)[1] - 0.05 * np.eye(14)[9]
    sent = targets(Engagement(CONTRACT, velocity=0.2), np.tile(command, (120, 1)), MEASURED)
    np.testing.assert_allclose(sent[0], MEASURED)
    assert np.abs(np.diff(sent, axis=0)).max() <= 0.2 * PERIOD_NS * 1e-9 + 1e-12
    np.testing.assert_array_equal(sent[-1], command)  # 0.08 rad at 0.2 rad/s: 0.4 s of 0.6


def test_commands_that_move_on_meanwhile_are_joined_not_chased() -> None:
    moving = MEASURED + np.linspace(0.0, 0.5, 120)[:, None] * np.eye(14)[1] + 0.05 * np.eye(14)[1]
    sent = targets(Engagement(CONTRACT, velocity=0.2), moving, MEASURED)
    pace = np.diff(sent[:, 1]) / (PERIOD_NS * 1e-9)
    commanded = np.diff(moving[:, 1]) / (PERIOD_NS * 1e-9)
    assert (pace <= commanded + 0.2 + 1e-9).all()
    np.testing.assert_array_equal(sent[60:], moving[60:])


def test_grippers_and_what_lies_on_the_joints_pass_unchanged() -> None:
    command = MEASURED + 0.04 * np.eye(14)[6]
    np.testing.assert_array_equal(targets(Engagement(CONTRACT, 0.2), command[None], MEASURED)[0], command)


def test_no_target_leaves_the_limits_while_the_distance_is_given_up() -> None:
    upper = CONTRACT.joint_array("upper")
    edge = np.where(CONTRACT.joint_array("lower") < 0, upper - 0.01, MEASURED)
    sent = targets(Engagement(CONTRACT, 0.2), np.stack([edge - 0.1, edge, edge]), np.minimum(edge - 0.05, upper))
    assert (sent <= upper + 1e-12).all()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.activate()
    start = world.robot.positions()
    for i in range(1, 26):
        world.move(start + (MEASURED - start) * min(i / 15, 1.0))
    yield world
    world.close()


def fastest(world: World, command: np.ndarray, steps: int) -> float:
    """rad/s of the fastest joint while `command` is sent 30 times a second."""
    positions = []
    for _ in range(steps):
        world.move(command)
        positions.append(np.concatenate([arm.plant.positions for arm in world.emulated]))
    return float(np.abs(np.diff(positions, axis=0)).max()) * CONTRACT.control_rate_hz


def test_a_driver_activated_anew_under_an_old_target_does_not_snap_to_it(world: World) -> None:
    """The controller's latched stop still sends the target from which somebody pushed the arms away."""
    old = MEASURED + 0.09 * np.eye(14)[0]
    world.robot.deactivate()
    world.robot.activate()
    world.run(0.3)
    assert fastest(world, old, 20) < 0.35
    np.testing.assert_allclose(world.robot.positions(), old, atol=2e-3)


def test_a_refused_command_begins_nothing(world: World) -> None:
    world.run(1.0)
    with pytest.raises(JointCommandRefusedError, match="begins over"):
        world.move(MEASURED + 0.2 * np.eye(14)[0])
    assert fastest(world, MEASURED, 5) < 0.05
