"""Each reason of a failure that the tasks name, from a state that physics got into; nobody moves the arms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.backpack_packing import BackpackPackingConfig
from rise_robot.sim.box_closing import BoxClosingConfig
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.corruption import Corruption
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.objects import place
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.scene import BIN_CENTRES, COLOURS

TINY = Contract.load(config_path("contract_tiny.yaml"))
Scene = Callable[[SimulatedRobot], Iterator[None]]
"""Prepares a scene, then changes it once per control period."""


def over(robot: SimulatedRobot, scene: Scene) -> str:
    """Steps until the episode is over; why it failed."""
    robot.reset(0)
    changes = scene(robot)
    while robot.outcome == "running":
        next(changes, None)
        robot.step(robot.command)
    assert robot.outcome == "failure"
    return robot.failure_reason


def untouched(robot: SimulatedRobot) -> Iterator[None]:
    yield


def in_another_bin(robot: SimulatedRobot) -> Iterator[None]:
    spec = robot.task.setup.bricks[0]
    wrong = next(colour for colour in COLOURS if colour != spec.colour)
    place(robot.task.data, spec.name, (*BIN_CENTRES["left", wrong], 0.04))
    yield


def on_its_side(robot: SimulatedRobot) -> Iterator[None]:
    robot.task.data.joint("cup").qpos[2:] = (0.026, np.cos(np.pi / 4), np.sin(np.pi / 4), 0.0, 0.0)
    yield


def folded_too_little(robot: SimulatedRobot) -> Iterator[None]:
    """The cup stands in the box; a side flap is pressed in for a moment, not far enough for its crease to stay."""
    task = robot.task
    (x, y, _), _ = task.pose()
    place(task.data, "cup", (x, y, 0.04))
    hinge = task.model.joint("flap_left")
    while robot.time < 3.0:
        bent = float(task.data.qpos[hinge.qposadr[0]]) < 0.62
        task.data.qfrc_applied[hinge.dofadr[0]] = 0.0 if bent or robot.time > 2.0 else -0.05
        yield
    task.data.qfrc_applied[:] = 0.0


def clothes_in_the_mouth(robot: SimulatedRobot) -> Iterator[None]:
    """Packed and dropped on the table; then the zip is pulled while the clothes lie between the strips."""
    task, (x, y, yaw) = robot.task, robot.task.setup.bag
    slider = task.model.joint("puller").dofadr[0]
    place(task.data, "bag", (x, y, 0.06), yaw)
    place(task.data, "clothes", (x, y, 0.10), yaw + np.pi / 2)
    while task.rubric.reached < 2:
        yield
    while True:
        place(task.data, "clothes", (x, y, 0.088), yaw)
        task.data.qfrc_applied[slider] = 12.0 * task.closing
        yield


BRICK = BrickSortingConfig(bricks=1)


@pytest.mark.parametrize(("task", "config", "scene", "reason"), [
    ("brick_sorting", BRICK, untouched, "missed grasp"),
    ("brick_sorting", BRICK, in_another_bin, "wrong bin"),
    ("brick_sorting", BrickSortingConfig(bricks=1, time_limit=0.5), untouched, "timeout"),
    ("box_closing", BoxClosingConfig(time_limit=3.0), on_its_side, "tipped cup"),
    ("box_closing", BoxClosingConfig(time_limit=3.0), folded_too_little, "flap sprung back"),
    ("box_closing", BoxClosingConfig(time_limit=0.5), untouched, "timeout"),
    ("backpack_packing", BackpackPackingConfig(time_limit=4.0), clothes_in_the_mouth, "stuck zip"),
    ("backpack_packing", BackpackPackingConfig(time_limit=0.5), untouched, "timeout"),
])  # fmt: skip
def test_a_failure_is_called_by_its_reason(task, config, scene, reason):
    assert over(SimulatedRobot(TINY, task, config), scene) == reason


@pytest.mark.parametrize(("corruption", "reason"), [
    (Corruption(drop=True), "slip"),
    (Corruption(no_close=True), "missed grasp"),
    (Corruption(wrong_bin=True), "wrong bin"),
])  # fmt: skip
def test_an_expert_that_fails_on_purpose_fails_by_what_it_did(corruption, reason):
    robot = SimulatedRobot(TINY, config=BRICK)
    robot.reset(1)
    expert = BrickSortingExpert(robot, np.random.default_rng(1), corruption)
    while robot.outcome == "running":
        robot.step(expert.action())
    assert robot.failure_reason == reason
