"""Boxes that fingers close around go along with them; others stay on the belt."""

from __future__ import annotations

import numpy as np
import pytest

from rise_robot.sim.carried import Fingers, whereabouts
from rise_robot.sim.object_boxes import ObjectBox

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
