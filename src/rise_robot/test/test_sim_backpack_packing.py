"""Backpack Packing: what the rubric says of each state, how the zip jams, what the expert and its mistakes earn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from task_trace import trace

from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.backpack_packing import BackpackPackingConfig
from rise_robot.sim.backpack_rubric import BackpackMemory, BackpackView, judge
from rise_robot.sim.backpack_scene import BAG_HEIGHT, PIECES
from rise_robot.sim.cell import ARMS
from rise_robot.sim.corruption import Mishap
from rise_robot.sim.experts import make_expert
from rise_robot.sim.objects import place
from rise_robot.sim.robot import SimulatedRobot

TINY = Contract.load(config_path("contract_tiny.yaml"))
OUTSIDE = BackpackView(
    pieces=np.array([[-0.1, 0.2, 0.024], [-0.15, 0.2, 0.024], [-0.06, 0.2, 0.024]]), held=False, touched=False,
    height=0.0, upright=1.0, zipped=0.0, jammed=False, pulled=False,
)  # fmt: skip
INSIDE = replace(OUTSIDE, pieces=np.array([[0.0, 0.02, 0.03], [-0.03, 0.02, 0.03], [0.03, 0.02, 0.04]]))
HALF, WHOLE = replace(INSIDE, zipped=0.6), replace(INSIDE, zipped=0.97)
RAISED = BackpackMemory(touched=True, lifted=True, raised=True)


@pytest.mark.parametrize(("milestone", "before", "after"), [
    (0, (OUTSIDE, BackpackMemory()), (INSIDE, BackpackMemory())),
    (1, (INSIDE, BackpackMemory()), (INSIDE, RAISED)),
    (2, (INSIDE, RAISED), (HALF, RAISED)),
    (3, (HALF, RAISED), (WHOLE, RAISED)),
])  # fmt: skip
def test_each_milestone_holds_only_once_its_part_is_done(milestone, before, after):
    assert not judge(*before, milestone).holds
    assert judge(*after, milestone).holds
    assert not judge(replace(after[0], pieces=OUTSIDE.pieces), after[1], milestone).holds


def test_what_does_not_count_yet():
    overhanging = INSIDE.pieces + (0.0, 0.0, BAG_HEIGHT)
    assert not judge(replace(INSIDE, pieces=overhanging), RAISED, 0).holds
    assert not judge(replace(INSIDE, touched=True), RAISED, 0).holds
    assert not judge(replace(INSIDE, height=0.06), RAISED, 1).holds, "the bag is still in the air"
    assert not judge(replace(HALF, jammed=True), RAISED, 2).holds
    assert not judge(replace(WHOLE, pulled=True), RAISED, 3).holds


def test_a_bag_is_raised_only_upright_and_with_the_clothes_inside():
    high = replace(INSIDE, height=0.06)
    assert BackpackMemory().updated(high).raised
    assert not BackpackMemory().updated(replace(high, upright=0.8)).raised
    assert not BackpackMemory().updated(replace(high, pieces=OUTSIDE.pieces)).raised


@pytest.mark.parametrize(("view", "memory", "reached", "reason"), [
    (OUTSIDE, BackpackMemory(), 0, "timeout"),
    (OUTSIDE, BackpackMemory(touched=True), 0, "missed grasp"),
    (OUTSIDE, BackpackMemory(touched=True, lifted=True), 0, "slip"),
    (OUTSIDE, RAISED, 2, "clothes out of the bag"),
    (INSIDE, BackpackMemory(), 1, "not lifted"),
    (INSIDE, RAISED, 2, "zip missed"),
    (HALF, replace(RAISED, pulled=True), 3, "zip not pulled through"),
    (replace(HALF, jammed=True), replace(RAISED, pulled=True), 2, "stuck zip"),
])  # fmt: skip
def test_reason_names_what_is_missing(view, memory, reached, reason):
    assert judge(view, memory, reached).lapse == reason


def packed(robot, seed=0):
    """Clothes in a bag that hangs in the air and is about to drop; the force that pulls the zip, N."""
    robot.reset(seed)
    data, (x, y, yaw) = robot.task.data, robot.task.setup.bag
    place(data, "bag", (x, y, 0.06), yaw)
    place(data, "clothes", (x, y, 0.10), yaw + np.pi / 2)
    return 12.0 * robot.task.closing


def test_physics_takes_a_dropped_bag_through_all_milestones_once_the_zip_is_pulled():
    robot = SimulatedRobot(TINY, "backpack_packing", BackpackPackingConfig(time_limit=8.0))
    pull, events = packed(robot), []
    slider = robot.task.model.joint("puller").dofadr[0]
    while robot.outcome == "running":
        robot.task.data.qfrc_applied[slider] = pull if robot.time > 2.0 else 0.0
        events += [event.name for event in robot.step(robot.command).events]
    assert events == ["clothes_inserted", "contents_settled", "half_zipped", "zipped"]
    assert (robot.outcome, robot.score, robot.failure_reason, robot.progress()) == ("success", 10.0, "", 1.0)
    assert robot.consequences() == ("inside", "table", "closed")


def test_clothes_that_stick_out_of_the_mouth_jam_the_zip():
    robot = SimulatedRobot(TINY, "backpack_packing", BackpackPackingConfig(time_limit=4.0))
    pull = packed(robot)
    task = robot.task
    slider = task.model.joint("puller").dofadr[0]
    x, y, yaw = task.setup.bag
    place(task.data, "bag", (x, y, 0.0), yaw)
    while robot.outcome == "running":
        place(task.data, "clothes", (x, y, BAG_HEIGHT + 0.03), yaw)
        task.data.qfrc_applied[slider] = pull if robot.time > 1.0 else 0.0
        robot.step(robot.command)
    assert task.view().jammed and 0.2 < task.view().zipped < 0.8
    assert robot.outcome == "failure"


def test_the_slider_stays_where_nobody_pulls_it():
    robot = SimulatedRobot(TINY, "backpack_packing", BackpackPackingConfig(time_limit=3.0))
    packed(robot)
    while robot.outcome == "running":
        robot.step(robot.command)
    assert robot.task.view().zipped < 0.03 and (robot.score, robot.failure_reason) == (5.0, "zip missed")


@pytest.mark.parametrize("after", [100, 430])
def test_one_arm_holds_while_the_other_zips_and_a_restored_state_has_the_same_future(after):
    robot = SimulatedRobot(TINY, "backpack_packing")
    robot.reset(1001)
    expert = make_expert(robot, np.random.default_rng(0), Mishap(joint_noise=0.003))
    before = trace(robot, expert, after)
    state, memory = robot.get_state(), expert.get_state()
    future, held = [], []
    while robot.outcome == "running":
        future += trace(robot, expert, 1)
        if expert.move.name == "pull":
            held.append(any(robot.task.grips_handle(arm) for arm in ARMS))
    assert robot.outcome == "success" and robot.score == 10.0
    assert len(held) > 20 and np.mean(held) > 0.9, "the bag is held while the zip is pulled"
    events = [event.name for *_, result, _ in before + future for event in result.events]
    assert events == ["clothes_inserted", "contents_settled", "half_zipped", "zipped"]

    robot.reset(3)
    robot.set_state(state)
    expert.set_state(memory)
    assert trace(robot, expert) == future


@pytest.mark.parametrize(("mishap", "score", "reasons"), [
    (Mishap("clothes_miss", miss=0.06), 0.0, {"missed grasp", "slip", "timeout"}),
    (Mishap("clothes_drop"), 0.0, {"slip"}),
    (Mishap("lift_skip"), 2.5, {"not lifted"}),
    (Mishap("zip_miss", miss=0.05), 5.0, {"zip missed", "zip not pulled through"}),
    (Mishap("zip_short"), 7.5, {"zip not pulled through"}),
])  # fmt: skip
def test_deliberate_mistakes_fail_for_the_reason_of_physics(mishap, score, reasons):
    robot = SimulatedRobot(TINY, "backpack_packing", BackpackPackingConfig(time_limit=22.0))
    robot.reset(5)
    trace(robot, make_expert(robot, np.random.default_rng(0), mishap))
    assert (robot.outcome, robot.score) == ("failure", score) and robot.failure_reason in reasons


def test_clear_hides_bag_and_clothes():
    robot = SimulatedRobot(TINY, "backpack_packing")
    robot.clear_scene()
    assert max(robot.task.data.geom(name).xpos[0] for name in ("bag_floor", *PIECES)) < -1.0
