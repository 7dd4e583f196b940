"""Advantage labels of recorded chunks (Sec. III-B): experts get the best bin, rollouts are judged."""

from __future__ import annotations

import numpy as np

from rise_learning.data.episode_set import DEMONSTRATION, EpisodeSet
from rise_learning.rl.bins import AdvantageBins


def recorded_advantages(values: np.ndarray, episodes: EpisodeSet) -> np.ndarray:
    """Eq. 2 with the later frames of the recording in place of imagined ones.

    Args:
        values: (N,) V of every frame of `episodes`.

    Returns:
        (N,) mean of V over the frames of the chunk minus V now; the last frame of an episode stands for what follows.
    """
    everything = np.arange(len(episodes))
    future = episodes.future_index(everything, episodes.contract.frames_per_chunk)  # (N, F)
    return values[future].mean(1) - values


def demonstrated_frames(episodes: EpisodeSet) -> np.ndarray:
    """(N,) bool: frames of demonstrations."""
    return np.array([episode.kind == DEMONSTRATION for episode in episodes.episodes])[episodes.episode_of]


def optimal_frames(episodes: EpisodeSet) -> np.ndarray:
    """(N,) bool: chunks that start here are an expert's, by kind of episode or because a person commands."""
    return demonstrated_frames(episodes) | episodes.human[episodes.step_of]


def label_bins(advantages: np.ndarray, episodes: EpisodeSet, bins: AdvantageBins) -> np.ndarray:
    """(N,) int64 bin of the chunk that starts at each frame."""
    return np.where(optimal_frames(episodes), bins.experts, bins(advantages))
