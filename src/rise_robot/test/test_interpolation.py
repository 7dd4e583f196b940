"""Setpoints at a driver's rate keep what the commands keep."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.interpolation import CommandInterpolator
from rise_robot.core.limits import CommandLimiter

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
A, T = CONTRACT.action_dim, CONTRACT.control_period_s
LOWER, UPPER = CONTRACT.joint_array("lower"), CONTRACT.joint_array("upper")
MAX_V, MAX_A = CONTRACT.joint_array("max_velocity"), CONTRACT.joint_array("max_acceleration")
FINER = 7
"""Setpoints per command: 210 Hz."""


def setpoints(commands: np.ndarray) -> np.ndarray:
    """((N - 1) * FINER, A): what a driver gets while the commands (N, A) arrive."""
    interpolator, rows = CommandInterpolator(T), []
    for k, command in enumerate(commands):
        interpolator.feed(round(k * T * 1e9), command)
        rows += [interpolator.at(round((k + i / FINER) * T * 1e9)) for i in range(FINER)]
    return np.array(rows)


@given(arrays(float, (25, A), elements=st.floats(-4, 4)))
def test_limits_that_the_commands_keep_the_setpoints_keep(targets: np.ndarray) -> None:
    limiter = CommandLimiter(CONTRACT)
    commands = [limiter.reset((LOWER + UPPER) / 2)]
    commands += [limiter.follow(target) for target in targets] + [limiter.stop() for _ in range(8)]
    rows, dt = setpoints(np.array(commands)), T / FINER
    velocity = np.diff(rows, axis=0) / dt
    assert (rows >= LOWER - 1e-9).all() and (rows <= UPPER + 1e-9).all()
    assert (np.abs(velocity) <= MAX_V * (1 + 1e-6) + 1e-6).all()
    assert (np.abs(np.diff(velocity, axis=0)) / dt <= MAX_A * (1 + 1e-3) + 1e-3).all()
    np.testing.assert_allclose(rows[-1], commands[-1], atol=1e-9)


def test_a_steady_motion_is_followed_one_and_a_half_periods_late() -> None:
    commands = np.linspace(0, 1, 31)[:, None] * np.ones(A)
    rows = setpoints(commands)
    periods = np.arange(len(rows)) / FINER
    settled = periods > 3
    np.testing.assert_allclose(rows[settled, 0] * 30, periods[settled] - 1.5, atol=1e-6)


def test_a_late_command_lets_the_curve_wait_at_its_end_and_then_there_are_no_setpoints() -> None:
    interpolator = CommandInterpolator(T, max_age_s=5 * T)
    assert interpolator.at(0) is None
    for k in range(4):
        interpolator.feed(round(k * T * 1e9), np.full(A, float(k)))
    for late in (1.0, 2.5, 4.9):
        np.testing.assert_allclose(interpolator.at(round((3 + late) * T * 1e9)), np.full(A, 2.5))
    assert interpolator.at(round(8.1 * T * 1e9)) is None, "whoever reads them must see that commands have ended"


def test_commands_that_are_late_within_the_slack_do_not_bend_the_curve() -> None:
    """Played while each command arrives up to a quarter of a period late, as where all are punctual."""
    commands = np.random.default_rng(0).normal(size=(20, A))
    late = np.random.default_rng(1).uniform(0, 0.25, 20)
    interpolator, played = CommandInterpolator(T, slack=0.25), []
    moments = np.arange(4 * FINER, 19 * FINER) / FINER
    fed = 0
    for moment in moments:
        while fed < len(commands) and fed + late[fed] <= moment:
            interpolator.feed(round(fed * T * 1e9), commands[fed])
            fed += 1
        played.append(interpolator.at(round(moment * T * 1e9)))
    punctual = CommandInterpolator(T)
    expected = []
    for moment in moments - 0.25:
        if moment >= 3:
            for k in range(int(moment) - 3, int(moment) + 1):
                punctual.feed(round(k * T * 1e9), commands[k])
            expected.append(punctual.at(round(moment * T * 1e9)))
    np.testing.assert_allclose(played[-len(expected) :], expected, atol=1e-6)


def test_a_command_that_does_not_continue_the_last_ones_is_reached_at_once() -> None:
    interpolator = CommandInterpolator(T)
    interpolator.feed(0, np.zeros(A))
    interpolator.reset()
    assert interpolator.at(0) is None
    interpolator.feed(round(T * 1e9), np.ones(A))
    np.testing.assert_allclose(interpolator.at(round(1.3 * T * 1e9)), np.ones(A))
