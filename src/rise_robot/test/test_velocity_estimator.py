"""Velocities estimated from positions are those of the motion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_robot.core.velocity_estimator import VelocityEstimator

PERIOD_NS = 5_000_000
START_NS = 1_795_000_000_000_000_000
"""A stamp of today: as a float it would resolve 0.25 us only."""


@given(st.lists(st.floats(-3, 3), min_size=14, max_size=14))
def test_constant_velocity_is_found_exactly(velocity: list[float]) -> None:
    estimator, found = VelocityEstimator(), np.zeros(14)
    for i in range(8):
        found = estimator.add(START_NS + i * PERIOD_NS, np.array(velocity) * i * PERIOD_NS * 1e-9)
    np.testing.assert_allclose(found, velocity, atol=1e-9)


def test_uneven_stamps_do_not_disturb_it() -> None:
    estimator, found = VelocityEstimator(), np.zeros(1)
    for at_ns in (0, 4_100_000, 11_000_000, 14_900_000, 20_000_000):
        found = estimator.add(START_NS + at_ns, np.array([1.5 * at_ns * 1e-9]))
    assert found[0] == pytest.approx(1.5)


def test_it_follows_a_sine_with_half_its_span_of_delay() -> None:
    estimator = VelocityEstimator(samples=5)
    times = np.arange(400) * 0.005
    found = [estimator.add(START_NS + round(t * 1e9), np.array([np.sin(2 * np.pi * t)]))[0] for t in times]
    delayed = 2 * np.pi * np.cos(2 * np.pi * (times - 0.010))
    np.testing.assert_allclose(found[5:], delayed[5:], atol=0.01)


def test_noise_of_the_encoder_is_less_than_a_differences() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(0.0, 1e-4, 2000)
    estimator = VelocityEstimator()
    found = [estimator.add(START_NS + i * PERIOD_NS, positions[i : i + 1])[0] for i in range(2000)]
    assert np.std(found[5:]) < np.std(np.diff(positions) / 0.005) / 4


def test_no_slope_is_drawn_across_a_gap_or_backwards() -> None:
    estimator = VelocityEstimator()
    estimator.add(START_NS, np.array([0.0]))
    assert estimator.add(START_NS + 200_000_000, np.array([1.0]))[0] == 0.0
    assert estimator.add(START_NS + 190_000_000, np.array([0.0]))[0] == 0.0
    assert estimator.add(START_NS + 195_000_000, np.array([0.01]))[0] == pytest.approx(2.0)


def test_a_slope_needs_two_samples() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        VelocityEstimator(samples=1)
