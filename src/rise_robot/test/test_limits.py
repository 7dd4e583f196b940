"""No command ever leaves the limits; inside them nothing is changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import CommandError
from rise_robot.core.limits import CommandLimiter, braking_velocity

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
A, T = CONTRACT.action_dim, CONTRACT.control_period_s
LOWER, UPPER = CONTRACT.joint_array("lower"), CONTRACT.joint_array("upper")
MAX_V, MAX_A = CONTRACT.joint_array("max_velocity"), CONTRACT.joint_array("max_acceleration")
MIDDLE = (LOWER + UPPER) / 2


def assert_within_limits(commands: np.ndarray) -> None:
    """commands: (N, A), the first one at standstill."""
    velocity = np.diff(commands, axis=0) / T
    change = np.diff(np.vstack([np.zeros(A), velocity]), axis=0) / T
    assert (commands >= LOWER).all() and (commands <= UPPER).all()
    assert (np.abs(velocity) <= MAX_V * (1 + 1e-9)).all()
    assert (np.abs(change) <= MAX_A * (1 + 1e-6)).all()


targets = arrays(float, st.tuples(st.integers(1, 40), st.just(A)), elements=st.floats(-5, 5, width=32))


@given(targets, st.lists(st.booleans(), min_size=40, max_size=40), st.floats(0, 1))
def test_never_exceeds_a_limit(wanted: np.ndarray, stops: list[bool], start: float) -> None:
    limiter = CommandLimiter(CONTRACT)
    commands = [limiter.reset(LOWER + start * (UPPER - LOWER))]
    for row, stop in zip(wanted, stops, strict=False):
        commands.append(limiter.stop() if stop else limiter.follow(row))
    for _ in range(40):
        commands.append(limiter.stop())
    assert_within_limits(np.array(commands))
    assert (limiter.velocity == 0).all(), "a controlled stop ends at standstill"


@given(st.floats(0.05, 0.9), st.floats(0.2, 1.2))
def test_reachable_motion_passes_unchanged(amplitude: float, frequency: float) -> None:
    limiter = CommandLimiter(CONTRACT)
    limiter.reset(MIDDLE)
    speed = 2 * np.pi * frequency
    scale = amplitude * np.minimum(np.minimum(MAX_V / speed, MAX_A / speed**2), (UPPER - LOWER) / 2)
    for k in range(1, 90):
        target = MIDDLE + scale * (1 - np.cos(speed * k * T)) / 2
        np.testing.assert_allclose(limiter.follow(target), target, atol=1e-12)
    assert limiter.counts.commands == 0


@given(arrays(float, A, elements=st.floats(0, 1)), arrays(float, A, elements=st.floats(0, 1)))
def test_step_is_reached_without_overshoot(start: np.ndarray, goal: np.ndarray) -> None:
    limiter = CommandLimiter(CONTRACT)
    origin, target = LOWER + start * (UPPER - LOWER), LOWER + goal * (UPPER - LOWER)
    limiter.reset(origin)
    low, high = np.minimum(origin, target), np.maximum(origin, target)
    for _ in range(120):
        command = limiter.follow(target)
        assert (command >= low - 1e-9).all() and (command <= high + 1e-9).all()
    np.testing.assert_allclose(command, target, atol=1e-9)


@given(st.floats(0, 3), st.floats(1, 60))
def test_braking_velocity_stops_exactly_at_the_distance(distance: float, max_acceleration: float) -> None:
    v = float(braking_velocity(np.array(distance), np.array(max_acceleration), T))
    way = 0.0
    while v > 0:
        way += v * T
        v -= max_acceleration * T
    assert way == pytest.approx(distance, abs=1e-9)


def test_hits_are_counted_by_kind() -> None:
    limiter = CommandLimiter(CONTRACT)
    limiter.reset(MIDDLE)
    outside = MIDDLE.copy()
    outside[0] = UPPER[0] + 1
    limiter.follow(outside)
    assert (limiter.counts.commands, limiter.counts.position, limiter.counts.velocity) == (1, 1, 1)
    limiter.reset(MIDDLE)
    jerk = MIDDLE.copy()
    jerk[1] += 1.5 * MAX_A[1] * T * T
    limiter.follow(jerk)
    assert (limiter.counts.commands, limiter.counts.acceleration) == (2, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(bad: float) -> None:
    limiter = CommandLimiter(CONTRACT)
    limiter.reset(MIDDLE)
    target = MIDDLE.copy()
    target[6] = bad
    with pytest.raises(CommandError, match="left_gripper"):
        limiter.follow(target)
    np.testing.assert_array_equal(limiter.position, MIDDLE)
    with pytest.raises(CommandError, match=r"\(3,\).*\(14,\)"):
        limiter.follow(np.zeros(3))


def test_measured_position_outside_the_range_starts_inside() -> None:
    assert (CommandLimiter(CONTRACT).reset(UPPER + 0.01) == UPPER).all()
