"""Objects of known size in control maps: found to a few millimetres, once each, and drawn as what they are."""

from __future__ import annotations

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.images import resize_frame
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.control_maps import BELT_AXIS, ControlMapRenderer
from rise_robot.sim.experts import make_expert
from rise_robot.sim.last_seen import Sighting
from rise_robot.sim.object_boxes import ObjectBox, draw_boxes, found_boxes
from rise_robot.sim.robot import SimulatedRobot

VIEWS, SPEED = (48, 64), 0.1
BRICK = np.array([0.052, 0.04, 0.04])
CONTRACT = Contract.load(config_path("contract_tiny.yaml"))


@pytest.fixture(scope="module")
def robot() -> SimulatedRobot:
    return SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=2, belt_speed=(SPEED, SPEED)))


@pytest.fixture(scope="module")
def renderer() -> ControlMapRenderer:
    return ControlMapRenderer(CONTRACT, VIEWS)


def pictures(robot: SimulatedRobot) -> np.ndarray:
    """(V, h, w, 3) as recorded."""
    shown = robot.render()
    return np.stack([resize_frame(shown[name], VIEWS) for name in CONTRACT.camera_names])


def sightings(robot: SimulatedRobot, renderer: ControlMapRenderer) -> list[Sighting]:
    shots = next(renderer.shots(robot.joint_positions[None]))
    return [Sighting(*each) for each in zip(shots, pictures(robot), strict=True)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_brick_is_found_once_and_within_millimetres(
    robot: SimulatedRobot, renderer: ControlMapRenderer, seed: int
) -> None:
    """A pixel of the first camera is a centimetre; the wrists see the same bricks, and half as well."""
    robot.reset(seed)
    boxes = found_boxes(sightings(robot, renderer), BRICK, renderer.belt_height)
    lie = np.array(sorted(brick.position for brick in robot.task.setup.bricks))
    assert np.array(sorted(box.middle[:2].tolist() for box in boxes)) == pytest.approx(lie, abs=0.005)


def test_a_near_camera_shows_a_box_where_a_smear_was(robot: SimulatedRobot, renderer: ControlMapRenderer) -> None:
    """What the wrist sees just before it grasps, drawn from pictures taken 40 steps earlier."""
    robot.reset(3)
    expert, joints, shown = make_expert(robot), [], []
    while not any(brick.view.touched for brick in robot.task.bricks):
        joints.append(robot.joint_positions)
        shown.append(pictures(robot))
        robot.step(expert.action())
    seconds = 40 / CONTRACT.control_rate_hz
    at = np.stack([joints[-41], joints[-1]])
    belt = [shot.belt for shot in list(renderer.shots(at))[1]]

    def error(size: np.ndarray | None) -> list[float]:
        maps = renderer.with_objects(at, np.arange(2), shown[-41], seconds, SPEED, size)[1].astype(float)
        return [float(np.square((maps[v] - shown[-1][v])[belt[v]]).mean()) for v in (1, 2)]

    for boxes, smears in zip(error(BRICK), error(None), strict=True):
        assert boxes < 0.5 * smears


def test_a_box_travels_with_the_belt_and_stays_behind_the_arm(
    robot: SimulatedRobot, renderer: ControlMapRenderer
) -> None:
    robot.reset(1)
    top = sightings(robot, renderer)[0].empty
    lies, red = np.array([0.45, 0.1, renderer.belt_height + 0.02]), np.array([250.0, 10.0, 10.0])
    rows = []
    for travelled in (0.0, 0.1):
        image = np.zeros((*VIEWS, 3), np.uint8)
        draw_boxes(image, top, [ObjectBox(lies + travelled * BELT_AXIS, BRICK, red)])
        rows.append(np.nonzero(image[..., 0])[0].mean())
        assert not image[~top.belt].any()
    assert rows[1] - rows[0] > 3, "towards the robot is down in the top view"


def test_nothing_is_found_where_nothing_lies(robot: SimulatedRobot, renderer: ControlMapRenderer) -> None:
    robot.reset(1)
    empty = [Sighting(one.empty, one.empty.image) for one in sightings(robot, renderer)]
    assert found_boxes(empty, BRICK, renderer.belt_height) == []
