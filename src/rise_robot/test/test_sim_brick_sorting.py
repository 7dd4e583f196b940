"""Table VII from physics: what the expert and its deliberate failures earn, and what progress says on the way."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.brick_rubric import BrickRecord, BrickView, RubricState, advance, brick_progress, failure_reason
from rise_robot.sim.brick_sorting import BrickSortingConfig, BrickSpec
from rise_robot.sim.corruption import draw_attempt
from rise_robot.sim.episode import run_episode
from rise_robot.sim.expert import BrickSortingExpert, Corruption
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.scene import BIN_CENTRES, COLOURS

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))


def episode(bricks, seed, corruption=None):
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=bricks))
    return robot, run_episode(
        robot, BrickSortingExpert(robot, np.random.default_rng(seed), corruption), seed, render=False
    )


@pytest.mark.parametrize(("bricks", "seed"), [(1, 0), (1, 1), (2, 2), (3, 3), (4, 4)])
def test_expert_succeeds_and_earns_two_and_a_half_per_brick(bricks, seed):
    robot, recording = episode(bricks, seed)
    assert recording.outcome == "success"
    assert recording.score == pytest.approx(2.5 * bricks)
    names = Counter(event.name for event in recording.events)
    assert names == {"grasp": bricks, "place_matched": bricks, "cleared": 1}
    assert sum(event.score_delta for event in recording.events) == pytest.approx(recording.score)
    assert robot.consequences() == ("right",) * bricks
    assert recording.progress[-1] == 1.0


def test_wrong_bin_is_a_failure_that_still_earns_the_grasp():
    robot, recording = episode(1, 0, Corruption(wrong_bin=True))
    assert recording.outcome == "failure" and recording.score == 1.0
    assert [event.name for event in recording.events] == ["grasp", "place_wrong"]
    assert robot.consequences() == ("wrong",) and recording.progress[-1] == -0.5


def test_gripper_that_never_closes_loses_the_brick_without_a_grasp():
    robot, recording = episode(1, 1, Corruption(no_close=True))
    assert recording.outcome == "failure" and recording.score == 0.0
    assert [event.name for event in recording.events] == ["lost"]
    assert robot.consequences() == ("lost",)


def test_missed_grasp_loses_the_brick():
    _, recording = episode(1, 2, Corruption(grasp_offset=0.05))
    assert recording.outcome == "failure" and "grasp" not in {event.name for event in recording.events}


def test_standing_still_lets_the_brick_fall_off_the_belt():
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1))
    robot.reset(1)
    while robot.outcome == "running":
        robot.step(robot.command)
    assert robot.outcome == "failure" and robot.consequences() == ("lost",)


def test_belt_carries_bricks_at_the_drawn_speed():
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1))
    for seed in (0, 1):
        robot.reset(seed)
        start = robot.task.bricks[0].view.position[0]
        for _ in range(30):
            robot.step(robot.command)
        moved = start - robot.task.bricks[0].view.position[0]
        assert moved == pytest.approx(robot.task.setup.belt_speed, rel=0.02)


def test_progress_rises_through_approach_grasp_carry_and_place():
    _, recording = episode(1, 3)
    stamp = {event.name: event.stamp for event in recording.events}
    at = {name: recording.progress[round(time * 30e-9)] for name, time in stamp.items()}
    assert recording.progress[0] < 0.25 < 0.35 <= at["grasp"] < 0.76 and at["place_matched"] == 1.0
    assert np.diff(recording.progress).min() > -0.06


def test_carrying_towards_a_wrong_bin_ends_below_the_grasp():
    _, recording = episode(1, 0, Corruption(wrong_bin=True))
    placed = next(event.stamp for event in recording.events if event.name == "place_wrong")
    grasped = next(event.stamp for event in recording.events if event.name == "grasp")
    just_before = recording.progress[round(placed * 30e-9) - 6]
    assert just_before <= recording.progress[round(grasped * 30e-9)] + 1e-9


def test_expert_takes_over_in_the_middle_of_an_episode():
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1))
    robot.reset(2)
    expert = BrickSortingExpert(robot)
    while robot.consequences() != ("held",):
        robot.step(expert.action())
    for _ in range(12):
        robot.step(expert.action())
    successor = BrickSortingExpert(robot)
    while robot.outcome == "running":
        robot.step(successor.action())
    assert robot.outcome == "success"


def test_small_noise_is_survived():
    outcomes = [episode(1, seed, Corruption(joint_noise=0.01))[1].outcome for seed in range(4)]
    assert outcomes == ["success"] * 4


def test_imprecise_attempts_scatter_around_the_brick_and_are_made_again():
    rng, imprecise = np.random.default_rng(0), Corruption(imprecision=0.02)
    offsets = np.array([draw_attempt(0, "red", imprecise, rng).offset for _ in range(500)])
    np.testing.assert_allclose(offsets.mean(0), 0.0, atol=0.003)
    np.testing.assert_allclose(offsets.std(0), 0.02, atol=0.002)
    assert not draw_attempt(0, "red", imprecise, rng).blind  # a person sees what is held


SPEC = BrickSpec("brick_1", "red", "left", 0.0, (0.5, 0.06), 0.0)
BELT = BrickView(np.array([0.4, 0.06, 0.06]), 0.1, "", False, False, True, None)
HELD = replace(BELT, position=np.array([0.4, 0.06, 0.09]), held_by="left", touched=True, lifted=True)


def run(record, *views):
    state, events = RubricState((record,)), []
    for n, view in enumerate(views):
        state, new = advance(state, [view], n / 30, settle=0.1, time_limit=60.0)
        events += new
    return state, [event.name for event in events]


def test_a_grasp_needs_both_fingers_and_three_periods_in_the_air():
    entered = BrickRecord(SPEC, entered=True)
    assert run(entered, HELD, HELD)[1] == []
    assert run(entered, HELD, HELD, replace(HELD, held_by=""), HELD, HELD)[1] == []
    assert run(entered, HELD, HELD, HELD, BELT, HELD, HELD, HELD)[1] == ["grasp"]
    assert run(entered, *[replace(HELD, lifted=False)] * 9)[1] == []


def test_a_brick_in_a_bin_counts_once_it_is_let_go_and_rests():
    entered = BrickRecord(SPEC, entered=True)
    resting = replace(BELT, on_belt=False, speed=0.0, bin=("right", "red"))
    assert run(entered, *[replace(resting, touched=True)] * 9)[1] == []
    assert run(entered, *[replace(resting, speed=0.3)] * 9)[1] == []
    state, names = run(entered, *[resting] * 9)
    assert names == ["place_matched", "cleared"] and state.score == 1.5 and state.outcome == "success"
    assert run(entered, *[replace(resting, bin=("right", "blue"))] * 9)[1] == ["place_wrong"]


def test_a_brick_that_is_knocked_out_of_its_bin_is_no_success():
    """What was judged on its landing stayed right, whatever an arm did to it later."""
    entered = BrickRecord(SPEC, entered=True)
    resting = replace(BELT, on_belt=False, speed=0.0, bin=("left", "red"))
    for out in (BELT, replace(resting, bin=None), replace(resting, bin=("left", "blue"))):
        state, names = run(entered, *[resting] * 5, *[out] * 4)
        assert state.outcome == "failure" and failure_reason(state) == "knocked out"
        assert names == ["place_matched", "cleared", "lost"] and state.bricks[0].consequence == "lost"
    assert run(entered, *[resting] * 5, replace(resting, bin=None), *[resting] * 3)[0].outcome == "success"


def test_the_score_is_capped_at_ten():
    state = RubricState((BrickRecord(SPEC, entered=True),), score=9.5)
    for n in range(5):
        state, _ = advance(state, [HELD], n / 30, settle=0.1, time_limit=60.0)
    assert state.score == 10.0


def test_a_brick_that_waits_outside_is_not_lost():
    waiting = BrickRecord(SPEC, entered=False)
    state, names = run(waiting, *[replace(BELT, on_belt=False, speed=0.0)] * 30)
    assert names == [] and state.outcome == "running"


@pytest.mark.parametrize("colour", COLOURS)
def test_progress_over_each_bin_is_highest_over_the_matched_one(colour):
    record = BrickRecord(replace(SPEC, colour=colour), entered=True, held_by="left", grasped_at=(0.4, 0.06))
    over = {
        other: brick_progress(record, replace(HELD, position=np.array([*BIN_CENTRES["left", other], 0.1])), np.zeros(3))
        for other in COLOURS
    }
    assert over.pop(colour) == pytest.approx(0.75)
    assert max(over.values()) == pytest.approx(0.35)
