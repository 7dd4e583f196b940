"""Figures over recorded states: from as many episodes as there are, with errors that copies cannot shrink."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import make_set

from rise_learning.errors import ConfigError
from rise_learning.evaluation.spread_states import spread_states
from rise_learning.evaluation.statistics import mean_and_error

EPISODES = make_set()
COUNT = len(EPISODES.episodes)


def test_no_episode_comes_twice_before_all_have_come_once() -> None:
    starts, episode_of = spread_states(EPISODES, np.random.default_rng(0), 2 * COUNT)
    assert sorted(episode_of[:COUNT]) == sorted(episode_of[COUNT:]) == list(range(COUNT))
    assert starts.origin is not None and len(set(starts.origin)) == 2 * COUNT
    assert (EPISODES.frames_left(starts.origin) > 0).all()


def test_states_are_the_same_for_a_seed_and_of_first_frames_where_asked_for() -> None:
    first, _ = spread_states(EPISODES, np.random.default_rng(3), COUNT, first_frames=2)
    again, _ = spread_states(EPISODES, np.random.default_rng(3), COUNT, first_frames=2)
    other, _ = spread_states(EPISODES, np.random.default_rng(4), COUNT)
    np.testing.assert_array_equal(first.origin, again.origin)
    assert not np.array_equal(np.sort(first.origin), np.sort(other.origin))
    assert first.origin is not None
    assert (first.origin - EPISODES.first_frame[EPISODES.episode_of[first.origin]] < 2).all()


def test_more_states_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="10000 states were asked for, these bags have"):
        spread_states(EPISODES, np.random.default_rng(0), 10_000)


def test_the_error_does_not_shrink_with_copies_from_the_same_episode() -> None:
    values = np.random.default_rng(0).normal(size=40)
    mean, error = mean_and_error(values, np.arange(40))
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(40))
    copied = mean_and_error(np.repeat(values, 5), np.repeat(np.arange(40), 5))
    assert copied == pytest.approx((mean, error)), "five times as many values, and nothing more is known"
    naive = mean_and_error(np.repeat(values, 5), np.arange(200))[1]
    assert naive < 0.5 * error


def test_one_episode_tells_no_error() -> None:
    mean, error = mean_and_error(np.array([1.0, 2.0]), np.zeros(2))
    assert mean == 1.5 and np.isnan(error)
