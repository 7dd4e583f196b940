"""Figures that will be published: Wilson intervals and ranking scores against values worked out by hand."""

import numpy as np
import pytest

from rise_learning.evaluation.statistics import auc, auc_interval, paired_wins, wilson_interval


def test_wilson_interval_equals_published_values():
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_wilson_interval_refuses_what_is_no_rate():
    with pytest.raises(ValueError, match="5 successes of 4"):
        wilson_interval(5, 4)
    with pytest.raises(ValueError, match="0 of 0|0 successes of 0"):
        wilson_interval(0, 0)


def test_auc_counts_pairs_and_ties():
    assert auc(np.array([3.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert np.isnan(auc(np.array([]), np.array([1.0])))


def test_interval_of_auc_holds_it_and_shrinks_with_more_episodes():
    rng = np.random.default_rng(0)
    wide, narrow = (
        auc_interval(rng.normal(1, 1, count), rng.normal(0, 1, count), resamples=300) for count in (20, 500)
    )
    true = 0.760  # of two unit normals one apart
    assert all(low < true < high for low, high in (wide, narrow))
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_paired_wins_compares_within_pairs_only():
    assert paired_wins(np.array([1.0, 5.0]), np.array([2.0, 4.0])) == 0.5
