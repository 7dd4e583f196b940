"""States to imagine from: early ones, and mostly of what failed, where that is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import make_episode, make_set

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import ConfigError
from rise_learning.rl.offline_starts import offline_starts, shares_of_frames

EPISODES = make_set()


@pytest.mark.parametrize("failed_share", [0.25, 0.75, 1.0])
def test_so_many_are_of_recordings_that_failed_and_all_are_early(failed_share: float) -> None:
    starts = offline_starts(EPISODES, np.random.default_rng(0), 40, 3, failed_share)
    assert starts.origin is not None
    failed = np.isin(starts.origin, EPISODES.frames_of(outcome="failure"))
    assert failed.sum() == 40 * failed_share
    assert (starts.origin - EPISODES.first_frame[EPISODES.episode_of[starts.origin]] < 3).all()
    assert failed_share == 1 or (np.diff(failed.astype(int)) != 0).sum() > 4, "mixed, for they are led in groups"


def test_without_a_share_all_recordings_are_drawn_alike() -> None:
    starts = offline_starts(EPISODES, np.random.default_rng(0), 400)
    assert starts.origin is not None
    assert set(EPISODES.episode_of[starts.origin]) == set(range(len(EPISODES.episodes)))


def test_a_share_of_what_is_not_there_is_refused() -> None:
    only = EpisodeSet(EPISODES.contract, [make_episode(EPISODES.contract, seed) for seed in range(2)])
    with pytest.raises(ConfigError, match="no recording failed"):
        offline_starts(only, np.random.default_rng(0), 8, 0, 0.5)
    with pytest.raises(ConfigError, match="no recording did not fail"):
        shares_of_frames(EpisodeSet(EPISODES.contract, [make_episode(EPISODES.contract, 0, outcome="failure")]), 0, 0.5)
