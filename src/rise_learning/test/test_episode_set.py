"""Gathering from concatenated episodes: never across a border, the right step for every frame."""

import numpy as np
import pytest
from synthetic import make_episode, make_set, small_contract

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import DataError


def test_context_repeats_the_first_frame_of_its_own_episode():
    episodes = make_set()
    g = np.array([int(episodes.first_frame[1]) + 1])
    context = episodes.context(g, 4)[0]
    own = episodes.episodes[1].frames
    np.testing.assert_array_equal(context, own[[0, 0, 0, 1]])


def test_future_and_chunk_hold_at_the_end_of_the_episode():
    episodes = make_set()
    contract, episode = episodes.contract, episodes.episodes[0]
    g = np.array([int(episodes.last_frame[0]) - 1])
    np.testing.assert_array_equal(episodes.frames[episodes.future_index(g, 3)[0]], episode.frames[[-1, -1, -1]])
    start = (len(episode.frames) - 2) * contract.actions_per_frame
    expected = np.concatenate([episode.action[start:], np.repeat(episode.action[-1:], contract.chunk_size, 0)])
    np.testing.assert_array_equal(episodes.chunk(g)[0], expected[: contract.chunk_size])


def test_clean_chunks_are_without_noise():
    episodes = make_set()
    g = np.array([0])
    np.testing.assert_allclose(episodes.chunk(g, clean=True) - episodes.chunk(g), 0.01, atol=1e-6)


def test_progress_runs_from_zero_to_one_in_every_episode():
    episodes = make_set()
    np.testing.assert_array_equal(episodes.progress(episodes.first_frame), 0)
    np.testing.assert_array_equal(episodes.progress(episodes.last_frame), 1)


def test_rubric_state_follows_the_last_event_and_knows_what_it_does_not_know():
    episodes = make_set()
    state = episodes.rubric_state(("blue", "red"), ("grasp", "place_matched"))
    first = slice(0, 12)
    assert state[first, 1].tolist() == [0] * 6 + [1] * 4 + [2] * 2
    assert (state[:, 0] == -1).all()


def test_split_keeps_episodes_whole_and_apart():
    training, held_out = make_set().split(0.4, seed=1)
    names = [[e.episode_id for e in part.episodes] for part in (training, held_out)]
    assert len(names[1]) == 2 and not set(names[0]) & set(names[1])


def test_split_of_one_episode_is_refused():
    contract = small_contract()
    with pytest.raises(DataError, match="at least 2"):
        EpisodeSet(contract, [make_episode(contract, 0)]).split(0.5, 0)


def test_no_episodes_is_an_error_that_says_what_to_do():
    with pytest.raises(DataError, match="record or collect"):
        EpisodeSet(small_contract(), [])
