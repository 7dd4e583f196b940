"""Bins are 1..10 and never anything else; what lies outside is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_learning.errors import ConfigError
from rise_learning.rl.bins import AdvantageBins


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(2, 20))
def test_every_finite_advantage_falls_into_one_of_the_bins(advantages, count):
    labels = AdvantageBins(-0.3, 0.4, count)(np.array(advantages))
    assert labels.min() >= 1 and labels.max() <= count


def test_uniform_intervals_and_released_preset_bin_of_zero():
    bins = AdvantageBins(-1.0, 1.0)
    assert bins(np.array([-1.0, -0.81, -0.79, 0.0, 0.79, 0.81, 1.0])).tolist() == [1, 1, 2, 6, 9, 10, 10]


def test_values_outside_are_clipped_and_counted():
    bins = AdvantageBins(0.0, 1.0)
    advantages = np.array([-5.0, 0.5, 1.5, 1.0])
    assert bins(advantages).tolist() == [1, 6, 10, 10]
    assert bins.clipped(advantages) == 2


def test_experts_apart_leave_advantages_the_bins_below_theirs():
    """Deployment asks for the best bin of advantages, not for the one that only experts are in."""
    bins = AdvantageBins(0.0, 1.0, 5, experts_apart=True)
    assert bins(np.array([-1.0, 0.3, 0.6, 2.0])).tolist() == [1, 2, 3, 4]
    assert (bins.top, bins.experts) == (4, 5)
    with pytest.raises(ConfigError, match="at least 2 bins of advantages"):
        AdvantageBins(0.0, 1.0, 2, experts_apart=True)


def test_nan_is_refused():
    with pytest.raises(ValueError, match="1 of 2 advantages are not finite"):
        AdvantageBins(0.0, 1.0)(np.array([0.5, np.nan]))


def test_empty_range_is_refused():
    with pytest.raises(ConfigError, match="low must be below high"):
        AdvantageBins(1.0, 1.0)
