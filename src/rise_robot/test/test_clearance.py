"""The guard: geometry against brute force, and no command from which the arms cannot stop in free space."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rise_robot.core.cell import Cell
from rise_robot.core.chunk import Trajectory
from rise_robot.core.clearance import POINTS, ClearanceGuard, segment_distances
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ContractMismatchError, SafetyError
from rise_robot.core.fault_scene import POSE
from rise_robot.core.limits import CommandLimiter
from rise_robot.core.supervisor import Mode
from rise_robot.core.trajectory_controller import TrajectoryController
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.cell import ARM_BASE
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.experts import make_expert
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.tasks import TaskSetting

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
CELL, TWIN = Cell.load(config_path("cell.yaml")), Cell.load(config_path("cell_twin.yaml"))
GUARD = ClearanceGuard(CONTRACT, CELL)
LOWER, UPPER = CONTRACT.joint_array("lower"), CONTRACT.joint_array("upper")


@given(arrays(float, (4, 3), elements=st.floats(-1, 1)))
def test_segment_distance_equals_the_nearest_of_many_points(ends: np.ndarray) -> None:
    p, q, r, s = ends
    along = np.linspace(0, 1, 101)[:, None]
    one, two = p + along * (q - p), r + along * (s - r)
    sampled = np.linalg.norm(one[:, None] - two, axis=-1).min()
    exact = float(segment_distances(p, q, r, s))
    assert exact <= sampled + 1e-5  # m: segments within a millionth of parallel count as such
    assert sampled - exact <= 0.01 * (np.linalg.norm(q - p) + np.linalg.norm(s - r))


def test_the_simulated_robot_stands_where_the_cell_says() -> None:
    for arm in (*CELL.arms, *TWIN.arms):
        np.testing.assert_array_equal(arm.base, ARM_BASE[arm.name])
    robot = SimulatedRobot(CONTRACT)
    robot.reset(3)
    points = GUARD.points(robot.joint_positions)
    for i, arm in enumerate(("left", "right")):
        np.testing.assert_allclose(points[i, POINTS.index("fingertip") :].mean(0), robot.tool_position(arm), atol=1e-6)
    robot.close()


def test_a_turned_arm_reaches_in_another_direction() -> None:
    turned = dataclasses.replace(CELL.arms[0], yaw=np.pi / 2)
    np.testing.assert_allclose(turned.to_world(np.array([0.3, 0.0, 0.1])) - turned.base, [0.0, 0.3, 0.1], atol=1e-12)


@settings(max_examples=25)
@given(arrays(float, (6, 14), elements=st.floats(0, 1)), st.integers(0, 60))
def test_whatever_is_wanted_the_arms_stay_clear_also_when_stopped_at_once(goals: np.ndarray, stop: int) -> None:
    limiter = CommandLimiter(CONTRACT)
    limiter.reset(POSE)
    for step in range(90):
        goal = LOWER + goals[step // 15] * (UPPER - LOWER)
        if step < stop:
            admission = GUARD.admit(limiter.position, lambda moving: limiter.preview(goal, moving))  # noqa: B023
            limiter.follow(goal, admission.moving)
        else:
            limiter.stop()
        margin, what = GUARD.margin(limiter.position[None])
        assert margin >= -1e-9, what


def test_one_arm_that_is_blocked_does_not_stop_the_other() -> None:
    limiter = CommandLimiter(CONTRACT)
    limiter.reset(POSE)
    goal = POSE.copy()
    goal[1], goal[7] = 2.2, -0.4  # left hand into the table, right arm aside
    for _ in range(60):
        admission = GUARD.admit(limiter.position, lambda moving: limiter.preview(goal, moving))
        limiter.follow(goal, admission.moving)
    assert "left fingertip " in admission.reason
    assert limiter.position[1] < 2.2 and limiter.position[7] == pytest.approx(-0.4)


def follow(goals: list[np.ndarray], start: np.ndarray = POSE) -> np.ndarray:
    """Where the guard lets the arms get to."""
    limiter = CommandLimiter(CONTRACT)
    limiter.reset(start)
    for goal in goals:
        for _ in range(150):
            admission = GUARD.admit(limiter.position, lambda moving: limiter.preview(goal, moving))  # noqa: B023
            limiter.follow(goal, admission.moving)
    return limiter.position


def test_a_hand_does_not_reach_into_the_other_arms_base() -> None:
    """It never moves, and has no joint; the hand would stop 35 mm inside it."""
    inside = POSE.copy()
    inside[:7] = -1.351, 1.775, -0.399, 0.4, -0.859, 0.056, 0.07
    margin, what = GUARD.margin(inside[None])
    assert margin < -0.02 and "right base" in what
    assert GUARD.margin(follow([inside])[None])[0] >= -1e-9


def test_the_lower_fingertip_of_a_rolled_open_gripper_counts() -> None:
    rolled = POSE.copy()
    rolled[:7] = -0.331, 1.584, 0.0, -0.724, -0.921, 1.447, 0.07
    margin, what = GUARD.margin(rolled[None])
    assert margin < -0.02 and "left fingertip " in what
    assert GUARD.points(rolled)[0, -2:, 2].min() < 0.01 < GUARD.points(rolled)[0, -2:, 2].mean()


def test_what_one_arm_lacks_allows_no_other_shortfall() -> None:
    """From below the table's margin the left hand rises slowly; the right one may not come as near to it as that."""
    limiter = CommandLimiter(CONTRACT)
    low = POSE.copy()
    low[1] = 2.1
    limiter.reset(low)
    limiter.reset(low)
    here = low
    for _ in range(40):
        goal = here.copy()
        goal[1] -= 0.0005
        goal[7] += 0.03  # the right arm turns towards the left one
        admission = GUARD.admit(here, lambda moving: np.where(moving, goal, here)[None])  # noqa: B023
        here = np.where(admission.moving, goal, here)
        pair, where = GUARD.margins(here[None])[-1]
        assert pair >= -1e-9, where


def test_out_of_a_bad_place_only_the_way_out_is_admitted() -> None:
    limiter = CommandLimiter(CONTRACT)
    inside_table = POSE.copy()
    inside_table[1] = 2.1
    limiter.reset(inside_table)
    assert GUARD.margin(inside_table[None])[0] < 0
    for goal, moves in ((2.4, False), (1.3, True)):
        target = np.where(np.arange(14) == 1, goal, inside_table)
        admission = GUARD.admit(limiter.position, lambda moving: limiter.preview(target, moving))  # noqa: B023
        assert admission.moving[1] == moves


def test_the_scripted_expert_works_behind_the_guard() -> None:
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=4))
    limiter, seed = CommandLimiter(CONTRACT), 5  # the hands come closest in this episode
    robot.reset(seed)
    limiter.reset(robot.joint_positions)
    expert, blocked = BrickSortingExpert(robot, np.random.default_rng(seed)), 0
    while robot.outcome == "running":
        action = expert.action()
        admission = GUARD.admit(limiter.position, lambda moving: limiter.preview(action, moving))  # noqa: B023
        blocked += bool(admission.reason)
        robot.step(limiter.follow(action, admission.moving))
    robot.close()
    assert robot.outcome == "success"
    assert 0 < blocked < 15, "one arm waits a moment for the other"


@pytest.mark.parametrize(("task", "seed"), [("brick_sorting", 5), ("backpack_packing", 0), ("box_closing", 1)])
def test_in_the_cell_of_the_twin_no_expert_is_stopped(task: str, seed: int) -> None:
    """Each of these episodes ends in a controlled stop, and so in failure, in the cell of real arms."""
    robot = SimulatedRobot(CONTRACT, task, TaskSetting.of(task, "default").config)
    robot.reset(seed)
    expert = make_expert(robot, np.random.default_rng(seed))
    controller = TrajectoryController(CONTRACT, initial=Mode.DEMO, guard=ClearanceGuard(CONTRACT, TWIN))
    now = 0
    controller.feed_joints(now, robot.joint_positions)
    controller.update(now)
    while robot.outcome == "running":
        controller.feed_joints(now, robot.joint_positions)
        controller.feed_trajectory(Trajectory(now, np.zeros(1), expert.action()[None]), now)
        command = controller.update(now).command
        assert command is not None
        robot.step(command)
        now += round(CONTRACT.control_period_s * 1e9)
    robot.close()
    assert (robot.outcome, controller.supervisor.stops) == ("success", 0)


def test_a_cell_of_another_robot_is_refused() -> None:
    with pytest.raises(ContractMismatchError, match="cell is of agilex_piper_bimanual .* contract of franka"):
        ClearanceGuard(Contract.load(config_path("contract_droid.yaml")), CELL)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("robot: agilex", "robo: agilex", "KeyError 'robot'"),
        ("lower: [-0.45", "lower: [0.95", "below upper"),
        ("base: [-0.06,  0.20, 0.0]", "base: [.nan, 0, 0]", "three finite numbers"),
        ("arms: ", "arms: {", "is no cell file"),
    ],
)
def test_a_broken_cell_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(config_path("cell.yaml").read_text().replace(old, new))
    with pytest.raises(SafetyError, match=f"mine.yaml.*{message}"):
        Cell.load(path)
