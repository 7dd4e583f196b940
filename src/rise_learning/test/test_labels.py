"""Labels of recorded chunks: Eq. 2 by hand, and the top bin for experts whatever the value model says."""

import dataclasses

import numpy as np
from synthetic import make_episode, make_set, small_contract

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.labels import label_bins, optimal_frames, recorded_advantages


def test_recorded_advantage_is_equation_two():
    contract = small_contract(chunk_size=4)  # 2 frames a chunk
    episodes = EpisodeSet(contract, [make_episode(contract, 0, frames=4), make_episode(contract, 1, frames=3)])
    values = np.array([0.0, 0.2, 0.6, 1.0, 10.0, 11.0, 13.0])
    expected = [0.4 - 0.0, 0.8 - 0.2, 1.0 - 0.6, 0.0, 12.0 - 10.0, 13.0 - 11.0, 0.0]
    np.testing.assert_allclose(recorded_advantages(values, episodes), expected, atol=1e-12)


def test_demonstrations_and_corrections_get_the_top_bin_and_rollouts_their_own():
    episodes = make_set()
    corrected = dataclasses.replace(episodes.episodes[3], human=np.arange(24) >= 12)
    episodes = EpisodeSet(episodes.contract, [*episodes.episodes[:3], corrected, episodes.episodes[4]])
    labels = label_bins(np.full(len(episodes), -1.0), episodes, AdvantageBins(-1.0, 1.0))
    rollout = slice(episodes.first_frame[3], episodes.last_frame[3] + 1)
    assert (labels[: episodes.first_frame[3]] == 10).all()
    assert labels[rollout].tolist() == [1] * 6 + [10] * 6
    assert (labels[episodes.first_frame[4] :] == 1).all()
    assert optimal_frames(episodes).sum() == 3 * 12 + 6
    apart = label_bins(np.full(len(episodes), 1.0), episodes, AdvantageBins(-1.0, 1.0, experts_apart=True))
    assert apart[rollout].tolist() == [9] * 6 + [10] * 6
