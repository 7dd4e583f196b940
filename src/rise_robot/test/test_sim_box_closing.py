"""Box Closing: what the rubric says of each state, what the expert and its mistakes earn, and determinism."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from task_trace import trace

from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.box_closing import BoxClosingConfig
from rise_robot.sim.box_rubric import BoxMemory, BoxView, judge
from rise_robot.sim.box_scene import BOX_HEIGHT, BOX_X, BOX_Y, CUP_HEIGHT, FLAPS
from rise_robot.sim.corruption import Mishap
from rise_robot.sim.experts import make_expert
from rise_robot.sim.objects import place
from rise_robot.sim.robot import SimulatedRobot

TINY = Contract.load(config_path("contract_tiny.yaml"))
OPEN = np.array([1.7, 1.7, 1.7, 1.1])
OUTSIDE = BoxView(
    cup=np.array([0.0, 0.2, 0.036]), upright=1.0, held=False, touched=False, angles=OPEN,
    tab_tip=np.array([0.05, 0.0, 0.2]), handled=False,
)  # fmt: skip
LOADED = replace(OUTSIDE, cup=np.array([0.01, -0.01, 0.04]))
SIDES = replace(LOADED, angles=np.array([0.1, 0.1, 1.7, 1.1]))
LID = replace(SIDES, angles=np.array([0.1, 0.1, 0.3, 1.1]), tab_tip=np.array([-0.06, 0.0, 0.103]))
TUCKED = replace(SIDES, angles=np.array([0.1, 0.1, 0.0, 1.6]), tab_tip=np.array([-0.04, 0.0, 0.075]))


@pytest.mark.parametrize(("milestone", "before", "after"), [
    (0, OUTSIDE, LOADED), (1, LOADED, SIDES), (2, SIDES, LID), (3, LID, TUCKED),
])  # fmt: skip
def test_each_milestone_holds_only_once_its_part_is_done(milestone, before, after):
    assert not judge(before, BoxMemory(), milestone).holds
    assert judge(after, BoxMemory(), milestone).holds
    taken_out = replace(after, cup=OUTSIDE.cup)
    assert not judge(taken_out, BoxMemory(), milestone).holds


@pytest.mark.parametrize(("view", "milestone"), [(SIDES, 1), (LID, 2), (TUCKED, 3), (TUCKED, 4)])
def test_a_side_flap_that_opens_again_is_asked_for_once_more(view, milestone):
    open_again = replace(view, angles=np.array([0.1, 1.2, *view.angles[2:]]))
    assert judge(view, BoxMemory(), milestone).holds
    judged = judge(open_again, BoxMemory(least=(0.1, 0.1, 0.1)), milestone)
    assert not judged.holds and judged.lapse == "flap sprung back"


def test_the_expert_folds_a_side_flap_again_that_has_sprung_open():
    robot = SimulatedRobot(TINY, "box_closing")
    robot.reset(1001)
    expert = make_expert(robot, np.random.default_rng(0))
    while expert.move.name != "aside":
        robot.step(expert.action())
    for _ in range(20):  # until the hands are out of its way
        robot.step(expert.action())
    robot.task.data.qpos[robot.task.model.joint("flap_left").qposadr[0]] = 1.5
    robot.task.data.plastic[FLAPS.index("flap_left")] = 1.5
    assert robot.task.rubric.reached == 2 and robot.outcome == "running"
    trace(robot, expert)
    assert robot.outcome == "success" and robot.task.view().sides_folded


def test_a_cup_in_the_hand_or_on_its_side_is_not_loaded():
    assert not judge(replace(LOADED, held=True, touched=True), BoxMemory(), 0).holds
    assert not judge(replace(LOADED, upright=0.5), BoxMemory(), 0).holds
    assert not judge(replace(TUCKED, handled=True), BoxMemory(), 3).holds


@pytest.mark.parametrize(("view", "memory", "reached", "reason"), [
    (OUTSIDE, BoxMemory(), 0, "timeout"),
    (OUTSIDE, BoxMemory(touched=True), 0, "missed grasp"),
    (OUTSIDE, BoxMemory(touched=True, lifted=True), 0, "slip"),
    (OUTSIDE, BoxMemory(), 2, "cup out of the box"),
    (LOADED, BoxMemory(), 1, "timeout"),
    (replace(LOADED, angles=np.array([0.1, 1.2, 1.7, 1.1])), BoxMemory(least=(0.0, 0.4, 1.7)), 1, "flap sprung back"),
    (SIDES, BoxMemory(least=(0.1, 0.1, 0.5)), 2, "flap sprung back"),
    (LID, BoxMemory(), 3, "tab outside"),
    (SIDES, BoxMemory(), 4, "flap sprung back"),
])  # fmt: skip
def test_reason_names_what_is_missing(view, memory, reached, reason):
    assert judge(view, memory, reached).lapse == reason


def test_memory_keeps_the_least_angles_and_what_happened_to_the_cup():
    memory = BoxMemory()
    for view in (SIDES, replace(LOADED, held=True, touched=True, cup=np.array([0.0, 0.1, 0.2])), OUTSIDE):
        memory = memory.updated(view)
    assert memory == BoxMemory(touched=True, lifted=True, least=(0.1, 0.1, 1.7))


def standing(robot):
    """Steps without moving until the episode is over; names of the events, reason of the failure as their last."""
    events = []
    while robot.outcome == "running":
        events += [event.name for event in robot.step(robot.command).events]
    return events


def test_physics_keeps_a_box_that_is_put_there_closed_and_calls_it_a_success():
    robot = SimulatedRobot(TINY, "box_closing", BoxClosingConfig(time_limit=4.0))
    robot.reset(0)
    task = robot.task
    (x, y, _), yaw = task.pose()
    place(task.data, "cup", (x, y, CUP_HEIGHT / 2 + 0.004))
    hinges = [task.model.joint(name).qposadr[0] for name in FLAPS]
    task.data.qpos[hinges] = (0.05, 0.05, 0.02, 1.65)  # within the yield of creases that rest closed
    task.data.plastic[:] = (0.05, 0.05, 0.02, 1.65)
    names = standing(robot)
    assert names == ["cup_loaded", "side_flaps_folded", "rear_flap_folded", "tab_tucked"]
    assert (robot.outcome, robot.score, robot.failure_reason, robot.progress()) == ("success", 10.0, "", 1.0)
    assert robot.consequences() == ("loaded", "folded", "folded", "folded", "folded")


def test_creases_are_plastic_up_to_what_springs_back():
    robot = SimulatedRobot(TINY, "box_closing")
    robot.reset(1)
    task = robot.task
    hinge = task.model.joint("flap_left")
    start = float(task.data.qpos[hinge.qposadr[0]])
    task.data.qvel[hinge.dofadr[0]] = 0.0
    for _ in range(30):
        task.data.qfrc_applied[hinge.dofadr[0]] = -0.04
        robot.step(robot.command)
    bent = float(task.data.qpos[hinge.qposadr[0]])
    task.data.qfrc_applied[:] = 0.0
    for _ in range(30):
        robot.step(robot.command)
    released = float(task.data.qpos[hinge.qposadr[0]])
    assert bent < start - 0.8 and bent - 0.02 <= released < bent + 0.3


def test_a_cup_that_lies_on_its_side_ends_the_episode():
    robot = SimulatedRobot(TINY, "box_closing")
    robot.reset(0)
    cup = robot.task.data.joint("cup")
    cup.qpos[2:] = (0.026, np.cos(np.pi / 4), np.sin(np.pi / 4), 0.0, 0.0)
    assert standing(robot) == ["failed"]
    assert robot.failure_reason == "tipped cup" and robot.time < 2.0 and robot.progress() == -0.5


def test_expert_uses_both_arms_and_a_restored_state_has_the_same_future():
    robot = SimulatedRobot(TINY, "box_closing")
    robot.reset(1001)  # under this noise one scene in eight ends with the tab outside, 1000 is one of these
    expert = make_expert(robot, np.random.default_rng(0), Mishap(joint_noise=0.003))
    before = trace(robot, expert, 240)
    state, memory = robot.get_state(), expert.get_state()
    after = trace(robot, expert)
    assert robot.outcome == "success" and robot.score == 10.0
    commands = np.array([np.frombuffer(action) for action, *_ in before + after])
    assert (np.ptp(commands[:, [0, 1, 2, 7, 8, 9]], axis=0) > 0.5).all()
    events = [event.name for *_, result, _ in before + after for event in result.events]
    assert events == ["cup_loaded", "side_flaps_folded", "rear_flap_folded", "tab_tucked"]

    robot.reset(3)
    robot.set_state(state)
    expert.set_state(memory)
    assert trace(robot, expert) == after


@pytest.mark.parametrize(("mishap", "score", "reasons"), [
    (Mishap("cup_miss", miss=0.045), 0.0, {"tipped cup", "missed grasp", "timeout"}),
    (Mishap("cup_drop"), 0.0, {"tipped cup", "slip"}),
    (Mishap("flap_short"), 2.5, {"flap sprung back", "timeout"}),
    (Mishap("press_skip"), 7.5, {"tab outside", "flap sprung back"}),
])  # fmt: skip
def test_deliberate_mistakes_fail_for_the_reason_of_physics(mishap, score, reasons):
    robot = SimulatedRobot(TINY, "box_closing", BoxClosingConfig(time_limit=22.0))
    robot.reset(5)
    trace(robot, make_expert(robot, np.random.default_rng(0), mishap))
    assert (robot.outcome, robot.score) == ("failure", score) and robot.failure_reason in reasons


def test_clear_hides_box_and_cup():
    robot = SimulatedRobot(TINY, "box_closing")
    robot.clear_scene()
    assert max(robot.task.data.body(name).xpos[0] for name in ("box", "cup")) < -1.0
    assert BOX_X < BOX_Y < BOX_HEIGHT
