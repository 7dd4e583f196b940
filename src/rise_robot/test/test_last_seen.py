"""Objects of the last picture in later control maps: where a brick will be seen that the belt carries on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.images import resize_frame
from rise_robot.sim.belt_speed import fitted_belt_speed
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.control_maps import ControlMapRenderer
from rise_robot.sim.experts import make_expert
from rise_robot.sim.robot import SimulatedRobot

SIZE, STEPS, SPEED = (48, 64), 16, 0.1
CONTRACT = Contract.load(config_path("contract_tiny.yaml"))


@dataclasses.dataclass(frozen=True)
class Recorded:
    """Joints (T, A) and pictures (T, V, h, w, 3) of every control step before the first brick is touched."""

    joints: np.ndarray
    pictures: np.ndarray


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1, belt_speed=(SPEED, SPEED)))
    robot.reset(3)
    expert, joints, pictures = make_expert(robot), [], []
    while not robot.task.bricks[0].view.touched:
        joints.append(robot.joint_positions)
        pictures.append(np.stack([resize_frame(robot.render()[name], SIZE) for name in CONTRACT.camera_names]))
        robot.step(expert.action())
    return Recorded(np.stack(joints), np.stack(pictures))


@pytest.fixture(scope="module")
def renderer() -> ControlMapRenderer:
    return ControlMapRenderer(CONTRACT, SIZE)


def brick(picture: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """(h, w) bool, where a picture shows what the map of the empty cell does not."""
    return np.abs(picture.astype(int) - empty).max(-1) > 90


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / max(1, (first | second).sum())


def test_a_wrist_sees_the_brick_where_its_last_picture_says(recorded: Recorded, renderer: ControlMapRenderer) -> None:
    """While the wrist comes down on a moving brick; the pixels where the brick was before say nothing any more."""
    later = len(recorded.joints) - 1
    at = recorded.joints[[later - STEPS, later]]
    seconds = STEPS / CONTRACT.control_rate_hz
    maps = renderer.with_objects(at, np.arange(2), recorded.pictures[later - STEPS], seconds, SPEED)
    empty = renderer.render(at)
    view = max((1, 2), key=lambda v: brick(recorded.pictures[later, v], empty[1, v]).sum())
    there = brick(recorded.pictures[later, view], empty[1, view])
    before = brick(recorded.pictures[later - STEPS, view], empty[0, view])
    assert there.sum() > 30, "the wrist is near"
    assert overlap(brick(maps[1, view], empty[1, view]), there) > 0.4
    assert overlap(before, there) < 0.2


def test_maps_show_thin_lines_as_recorded_frames_do(recorded: Recorded, renderer: ControlMapRenderer) -> None:
    """Drawn at the size of the maps themselves, the lines on the belt are missing, and pass for objects elsewhere."""
    at, picture = recorded.joints[:1], recorded.pictures[0]
    (drawn,) = renderer.with_objects(at, np.zeros(1, int), picture, 1.0, SPEED)
    assert np.square(drawn.astype(float) - picture).mean() < 255.0**2 / 10**2.6, "26 dB; 21 at the size of the maps"


def test_the_speed_of_the_belt_is_read_off_recorded_pictures(recorded: Recorded, renderer: ControlMapRenderer) -> None:
    first = np.arange(0, len(recorded.joints) - STEPS, 4)
    pair = np.stack([first, first + STEPS], 1)
    seconds = STEPS / CONTRACT.control_rate_hz
    speed = fitted_belt_speed(renderer, recorded.joints[pair], recorded.pictures[pair], seconds)
    assert speed == pytest.approx(SPEED, abs=0.011)
    backwards = fitted_belt_speed(renderer, recorded.joints[pair[:, ::-1]], recorded.pictures[pair[:, ::-1]], seconds)
    assert backwards == pytest.approx(-SPEED, abs=0.011)


def test_without_objects_the_map_is_that_of_the_robot_in_another_light(renderer: ControlMapRenderer) -> None:
    at = np.zeros((2, CONTRACT.action_dim))
    empty = renderer.render(at)
    dim = (0.8 * empty[0]).astype(np.uint8)
    maps = renderer.with_objects(at, np.arange(2), dim, 1.0, SPEED)
    assert np.abs(maps[1].astype(int) - dim).max() <= 2
