"""Boxes that fingers close around go along with them; others stay on the belt."""

from __future__ import annotations

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.images import resize_frame
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.carried import Fingers, held_box, whereabouts
from rise_robot.sim.cell import ARMS
from rise_robot.sim.control_maps import ControlMapRenderer
from rise_robot.sim.experts import make_expert
from rise_robot.sim.last_seen import Sighting
from rise_robot.sim.object_boxes import ObjectBox
from rise_robot.sim.robot import SimulatedRobot

BELT, SIZE, STEP = 0.04, np.array([0.052, 0.04, 0.04]), np.array([-0.01, 0.0, 0.0])
FRAMES, CLOSED_AT, RAISED_AT = 12, 4, 7
MIDDLE = np.array([0.4, 0.1, BELT + 0.02])


def fingers(aside: float = 0.0, opening: float = 0.036, *, opens_at: int = FRAMES, turns: float = 0.0) -> Fingers:
    """They wait where the box will be when they close, beside it by `aside`, and go up by 2 cm a frame later on."""
    frame = np.arange(FRAMES)
    point = np.tile(MIDDLE + CLOSED_AT * STEP + (0.0, aside, 0.0), (FRAMES, 1))
    point[:, 2] += 0.02 * np.maximum(0, frame - RAISED_AT)
    angle = turns * np.maximum(0, frame - RAISED_AT)
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros(FRAMES), np.ones(FRAMES)
    axes = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], -1).reshape(FRAMES, 3, 3)
    wide = np.where((frame < CLOSED_AT) | (frame >= opens_at), 0.07, opening)
    return Fingers(point, axes, wide)


def follow(*hands: Fingers) -> list[ObjectBox]:
    return whereabouts(ObjectBox(MIDDLE, SIZE, np.zeros(3)), hands, STEP, BELT)


def test_a_box_goes_with_the_belt_until_fingers_close_around_it_and_then_with_them() -> None:
    way = follow(fingers(aside=0.01, turns=0.1))
    for frame in range(CLOSED_AT):
        np.testing.assert_allclose(way[frame].middle, MIDDLE + frame * STEP)
    held = way[-1]
    np.testing.assert_allclose(held.middle, fingers(0.01).point[-1], atol=1e-9), "centred, and lifted"
    assert held.turned[1, 0] == pytest.approx(np.sin(0.1 * (FRAMES - 1 - RAISED_AT)))


@pytest.mark.parametrize(
    "hand",
    [fingers(aside=0.025), fingers(opening=0.05), fingers(opening=0.07)],
    ids=["they close beside it", "they close on nothing so narrow", "they stay open"],
)
def test_a_box_that_is_missed_stays_on_the_belt(hand: Fingers) -> None:
    last = follow(hand)[-1]
    np.testing.assert_allclose(last.middle, MIDDLE + (FRAMES - 1) * STEP)
    assert last.lying


def test_the_other_arm_can_be_the_one_that_holds_it() -> None:
    away = fingers(aside=-0.3)
    assert follow(away, fingers())[-1].middle[2] > MIDDLE[2] + 0.05
    assert follow(away, away)[-1].middle[2] == MIDDLE[2]


def test_what_hides_the_belt_hides_a_box_only_before_it_is_lifted() -> None:
    lying = [box.lying for box in follow(fingers())]
    assert lying[RAISED_AT] and not lying[RAISED_AT + 2] and not lying[-1]


def test_what_was_lifted_falls_and_stays_and_what_was_not_goes_on() -> None:
    fallen = follow(fingers(opens_at=10))
    assert fallen[-1].middle[2] == pytest.approx(SIZE[2] / 2) and not fallen[-1].lying
    np.testing.assert_array_equal(fallen[-1].middle, fallen[-2].middle)
    set_free = follow(fingers(opens_at=6))
    assert set_free[-1].lying and set_free[-1].middle[0] < set_free[-2].middle[0] < set_free[5].middle[0]


def test_a_box_that_closed_fingers_are_around_when_it_is_seen_is_theirs() -> None:
    hand = fingers()
    later = Fingers(hand.point[CLOSED_AT:], hand.axes[CLOSED_AT:], hand.opening[CLOSED_AT:])
    seen = ObjectBox(MIDDLE + CLOSED_AT * STEP + (0.012, 0.0, 0.0), SIZE, np.zeros(3))
    way = whereabouts(seen, [later], STEP, BELT)
    np.testing.assert_allclose(way[-1].middle - hand.point[-1], (0.012, 0.0, 0.0), atol=1e-9)
    beside = whereabouts(ObjectBox(seen.middle + (0.0, 0.06, 0.0), SIZE, np.zeros(3)), [later], STEP, BELT)
    assert beside[-1].middle[2] == MIDDLE[2]


def test_a_brick_in_the_air_is_seen_between_the_fingers_and_nothing_is_where_they_are_empty() -> None:
    """By the camera beside them; both arms at the same time, one of which closed on nothing."""
    contract = Contract.load(config_path("contract_tiny.yaml"))
    robot = SimulatedRobot(contract, config=BrickSortingConfig(bricks=1, belt_speed=(0.1, 0.1)))
    renderer, views = ControlMapRenderer(contract, (48, 64)), (48, 64)
    robot.reset(3)
    expert = make_expert(robot)
    while not (brick := robot.task.bricks[0]).view.lifted or brick.view.position[2] < BELT + 0.06:
        robot.step(expert.action())
    arm = ARMS.index(brick.view.held_by)
    joints = robot.joint_positions
    path = np.stack([joints, joints])
    path[:, 7 * (1 - arm) + 6] = 0.036
    shown = robot.render()
    pictures = [resize_frame(shown[name], views) for name in contract.camera_names]
    shots = next(renderer.shots(joints[None]))
    beside = [Sighting(shots[1 + hand], pictures[1 + hand]) for hand in range(2)]
    found = [held_box(one, seen, SIZE, BELT) for one, seen in zip(renderer.hands(path), beside, strict=True)]
    assert found[1 - arm] is None
    box = found[arm]
    assert box is not None and box.middle == pytest.approx(brick.view.position, abs=0.02)
    strongest = {"red": [0], "green": [1], "blue": [2], "yellow": [0, 1]}[brick.record.spec.colour]
    assert set(np.flatnonzero(box.colour > 0.6 * box.colour.max())) == set(strongest)
