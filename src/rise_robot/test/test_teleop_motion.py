"""A person's targets: smooth, in the asked direction, never ahead of the robot; and who may give back when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rise_robot.core.cell import Cell
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import TeleoperationError
from rise_robot.core.fault_scene import POSE
from rise_robot.core.limits import CommandLimiter
from rise_robot.core.supervisor import Mode
from rise_robot.teleop.bindings import MOTIONS
from rise_robot.teleop.handover import Handover
from rise_robot.teleop.jog import CartesianJog, JogConfig
from rise_robot.teleop.leader import LeaderFollower

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
CELL = Cell.load(config_path("cell.yaml"))
GUARD = ClearanceGuard(CONTRACT, CELL)
PERIOD, A = CONTRACT.control_period_s, CONTRACT.action_dim
LOWER, UPPER, MAX_V = (CONTRACT.joint_array(name) for name in ("lower", "upper", "max_velocity"))


def fingertips(joints: np.ndarray) -> np.ndarray:
    """(2, 3) m of both arms in the world frame."""
    return GUARD.points(joints)[:, -1]


def drive(jog: CartesianJog, motion: np.ndarray, periods: int) -> np.ndarray:
    """(periods + 1, A) targets, with a robot that follows them."""
    targets = [POSE]
    for _ in range(periods):
        targets.append(jog.step(motion, targets[-1]))
    return np.array(targets)


@pytest.mark.parametrize("name", ["x", "y", "z"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_hand_moves_where_it_is_asked_to_and_the_other_arm_stays(name: str, sign: float) -> None:
    jog, motion = CartesianJog(CONTRACT, CELL), np.zeros(7)
    jog.anchor(POSE)
    motion[MOTIONS.index(name)] = sign
    targets = drive(jog, motion, 15)
    moved = fingertips(targets[-1]) - fingertips(POSE)
    np.testing.assert_array_equal(moved[1], 0.0)
    expected = np.zeros(3)
    expected[MOTIONS.index(name)] = sign * 0.15 * (15 - 2) * PERIOD
    np.testing.assert_allclose(moved[0], expected, atol=0.012)


def test_motion_starts_from_rest_and_the_gripper_opens() -> None:
    jog, motion = CartesianJog(CONTRACT, CELL), np.zeros(7)
    jog.anchor(POSE)
    motion[6] = 1.0
    opening = drive(jog, motion, 12)[:, 6]
    steps = np.diff(opening)
    assert 0 < steps[0] < steps[3] and steps[6] == pytest.approx(0.08 * PERIOD)
    assert opening[-1] == pytest.approx(UPPER[6]), "and ends at its limit"


@settings(max_examples=25)
@given(arrays(float, (4, 7), elements=st.floats(-1, 1)))
def test_whatever_is_asked_targets_are_smooth_and_within_limits(motions: np.ndarray) -> None:
    jog = CartesianJog(CONTRACT, CELL, JogConfig(speed=0.5, turn=2.0))
    jog.anchor(POSE)
    targets = [POSE]
    for motion in np.repeat(motions, 20, axis=0):
        targets.append(jog.step(motion, targets[-1]))
    rows = np.array(targets)
    assert np.isfinite(rows).all() and (rows >= LOWER).all() and (rows <= UPPER).all()
    assert (np.abs(np.diff(rows, axis=0)) <= 0.5 * MAX_V * PERIOD + 1e-9).all()


def test_targets_do_not_run_ahead_of_a_blocked_arm() -> None:
    """Into the table for two seconds: one moment up again moves the hand at once."""
    jog, limiter, motion = CartesianJog(CONTRACT, CELL), CommandLimiter(CONTRACT), np.zeros(7)
    limiter.reset(POSE)
    jog.anchor(POSE)
    motion[2] = -1.0
    for _ in range(60):
        target = jog.step(motion, limiter.position)
        moving = GUARD.admit(limiter.position, lambda mask: limiter.preview(target, mask)).moving  # noqa: B023
        limiter.follow(target, moving)
    low = fingertips(limiter.position)[0, 2]
    assert 0.02 < low < 0.06
    for _ in range(30):
        target = jog.step(-motion, limiter.position)
        moving = GUARD.admit(limiter.position, lambda mask: limiter.preview(target, mask)).moving  # noqa: B023
        limiter.follow(target, moving)
    assert fingertips(limiter.position)[0, 2] > low + 0.04


def test_switching_moves_the_other_arm_from_where_it_is() -> None:
    jog, motion = CartesianJog(CONTRACT, CELL), np.eye(7)[2]
    jog.anchor(POSE)
    assert (jog.arm, jog.switch_arm()) == ("left", "right")
    first, *_, last = drive(jog, motion, 10)
    np.testing.assert_array_equal(first[:7], last[:7])
    assert fingertips(last)[1, 2] > fingertips(first)[1, 2] + 0.02


@given(arrays(float, (30, A), elements=st.floats(-0.05, 0.05)), arrays(float, A, elements=st.floats(-0.3, 0.3)))
def test_followers_never_jump_and_come_together_with_their_leaders(motion: np.ndarray, apart: np.ndarray) -> None:
    leader = np.clip(POSE + np.cumsum(motion * 0.02, axis=0), LOWER, UPPER)
    command = np.clip(POSE + apart, LOWER, UPPER)
    follower = LeaderFollower(CONTRACT, align_speed=0.6)
    follower.anchor(POSE, command)
    targets = np.array([follower.step(row) for row in leader])
    moved = np.abs(np.diff(np.vstack([POSE, leader]), axis=0))
    assert (np.abs(np.diff(np.vstack([command, targets]), axis=0)) <= moved + 0.6 * PERIOD + 1e-9).all()
    offset = np.abs(command - POSE).max()
    for _ in range(round(offset / (0.06 * PERIOD)) + 1):
        follower.step(leader[-1])
    assert follower.misalignment < 1e-9
    np.testing.assert_allclose(follower.step(leader[-1]), leader[-1])


def test_control_goes_back_and_forth_as_often_as_wanted() -> None:
    handover = Handover(Mode.POLICY)
    assert handover.on_episode("e1", True) is None
    for count in (1, 2, 3):
        handover.taken()
        assert handover.give_back() is Mode.POLICY and handover.takeovers == count
    assert handover.on_episode("e1", False) is None
    handover.on_episode("e2", True)
    assert handover.takeovers == 0


def test_the_papers_protocol_takes_over_once_and_completes_the_episode() -> None:
    handover = Handover(Mode.POLICY, single=True)
    assert handover.on_episode("e1", True) is None
    handover.taken()
    with pytest.raises(TeleoperationError, match="yours to its end"):
        handover.give_back()
    handover.on_episode("e1", True)  # a score changed
    assert handover.on_episode("e1", False) is Mode.POLICY
    assert handover.on_episode("e1", False) is None
    handover.on_episode("e2", True)
    assert handover.on_episode("e2", False) is None, "nobody took over"


def test_the_end_of_an_episode_does_not_set_going_what_a_person_has_stopped() -> None:
    """Hold, an emergency stop and a lost device all end in `left`: the policy must not start behind one's back."""
    handover = Handover(Mode.POLICY, single=True)
    handover.on_episode("e1", True)
    handover.taken()
    handover.left()
    assert handover.on_episode("e1", False) is None
    handover.on_episode("e2", True)
    handover.taken()
    assert handover.on_episode("e2", False) is Mode.POLICY
