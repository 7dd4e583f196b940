"""The driver's last check: bad commands are refused whole, counted by reason, and change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_robot.core.command_guard import CommandGuard, GuardConfig
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import JointCommandRefusedError
from rise_robot.core.limits import CommandLimiter

CONTRACT = Contract.load(config_path("contract.yaml"))
HOME = np.tile([0.0, 0.5, -0.5, 0.0, 0.2, 0.0, 0.03], 2)
PERIOD_NS = round(1e9 / 30)
NOW = 10**12


def moved(joint: int, by: float) -> np.ndarray:
    command = HOME.copy()
    command[joint] += by
    return command


def reason_of(guard: CommandGuard, command: np.ndarray, *, stamp: int = NOW, now: int = NOW) -> str:
    """Why it is refused; empty when it is not."""
    before = sum(guard.refused.values())
    try:
        guard.check(stamp, command, HOME, now)
    except JointCommandRefusedError as error:
        assert sum(guard.refused.values()) == before + 1 and guard.refused[error.reason] > 0
        return error.reason
    assert sum(guard.refused.values()) == before
    return ""


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (moved(3, np.nan), "not_finite"),
        (moved(3, np.inf), "not_finite"),
        (HOME[:7], "not_finite"),
        (moved(1, -0.51), "out_of_limits"),
        (moved(6, 0.05), "out_of_limits"),
        (moved(3, 0.7), "too_far"),
        (moved(3, 0.2), "jump"),
        (moved(3, 0.09), ""),
        (moved(6, 0.03), ""),
    ],
)
def test_first_command(command: np.ndarray, reason: str) -> None:
    assert reason_of(CommandGuard(CONTRACT), command) == reason


@pytest.mark.parametrize(
    ("age_s", "reason"), [(0.0, ""), (0.09, ""), (0.11, "stale"), (60.0, "stale"), (-0.04, ""), (-0.06, "future")]
)
def test_age(age_s: float, reason: str) -> None:
    assert reason_of(CommandGuard(CONTRACT), HOME, now=NOW + round(age_s * 1e9)) == reason


def test_a_command_that_is_not_newer_is_refused() -> None:
    guard = CommandGuard(CONTRACT)
    assert reason_of(guard, HOME) == ""
    assert reason_of(guard, HOME) == "out_of_order"
    assert reason_of(guard, HOME, stamp=NOW - 1) == "out_of_order"


def test_all_zeros_of_an_idle_ros2_control_are_refused() -> None:
    """The topic-based hardware publishes zeros before any controller is active; an arm that is up must not go there."""
    assert reason_of(CommandGuard(CONTRACT), np.zeros(14)) == "jump"


def test_a_refused_command_changes_nothing() -> None:
    guard = CommandGuard(CONTRACT)
    assert reason_of(guard, HOME) == ""
    assert reason_of(guard, moved(0, 0.3), stamp=NOW + PERIOD_NS, now=NOW + PERIOD_NS) == "jump"
    assert guard.age_s(NOW + PERIOD_NS) == pytest.approx(1 / 30)
    assert reason_of(guard, moved(0, 0.02), stamp=NOW + PERIOD_NS, now=NOW + PERIOD_NS) == ""


@given(st.integers(0, 2**32 - 1))
def test_whatever_the_controllers_limiter_commands_is_accepted(seed: int) -> None:
    """Joints that follow with a lag, targets that jump: the limits of the controller are within those of the guard."""
    rng = np.random.default_rng(seed)
    guard, limiter = CommandGuard(CONTRACT), CommandLimiter(CONTRACT)
    lower, upper = CONTRACT.joint_array("lower"), CONTRACT.joint_array("upper")
    measured = limiter.reset(HOME)
    target = HOME
    for step in range(40):
        if step % 10 == 0:
            target = rng.uniform(lower, upper)
        command, now = limiter.follow(target), NOW + step * PERIOD_NS
        guard.check(now, command, measured, now + 1_000_000)
        measured = measured + 0.5 * (command - measured)
    assert not guard.refused and guard.accepted == 40


def test_after_a_pause_a_command_has_to_engage_anew() -> None:
    guard = CommandGuard(CONTRACT, GuardConfig(timeout_s=0.2))
    assert reason_of(guard, moved(0, 0.09)) == ""
    late = NOW + 300_000_000
    assert reason_of(guard, moved(0, 0.12), stamp=late, now=late) == "jump"
    assert reason_of(guard, moved(0, 0.05), stamp=late, now=late) == ""
    guard.forget()
    later = late + PERIOD_NS
    assert reason_of(guard, moved(0, 0.12), stamp=later, now=later) == "jump"


def test_a_command_that_returns_to_the_joints_is_no_jump() -> None:
    """The controller does this when it starts again at the measured position."""
    guard = CommandGuard(CONTRACT)
    for step in range(6):
        now = NOW + step * PERIOD_NS
        assert reason_of(guard, moved(0, 0.08 * step), stamp=now, now=now) == ""
    assert reason_of(guard, HOME, stamp=now + PERIOD_NS, now=now + PERIOD_NS) == ""
