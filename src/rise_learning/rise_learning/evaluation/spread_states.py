"""Recorded states to compare from, spread over as many episodes as there are."""

from __future__ import annotations

import numpy as np

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import ConfigError
from rise_learning.rl.imagination import Starts, recorded_starts


def spread_states(
    episodes: EpisodeSet, rng: np.random.Generator, count: int, first_frames: int = 0
) -> tuple[Starts, np.ndarray]:
    """`count` different states at which at least one frame follows, and the episode (count,) of each.

    No episode gives a second one before every episode has given one: states of one episode fare alike.

    Args:
        first_frames: only these of an episode; 0 takes all.

    Raises:
        ConfigError: there are fewer.
    """
    everything = np.arange(len(episodes))
    within = everything - episodes.first_frame[episodes.episode_of] < (first_frames or np.inf)
    frames = rng.permutation(everything[(episodes.frames_left(everything) > 0) & within])
    if len(frames) < count:
        raise ConfigError(f"{count} states were asked for, these bags have {len(frames)} to begin from")
    chosen = frames[np.argsort(_number_within(episodes.episode_of[frames]), kind="stable")][:count]
    return recorded_starts(episodes, chosen), episodes.episode_of[chosen]


def _number_within(groups: np.ndarray) -> np.ndarray:
    """(N,) how many members of the same group (N,) come before each."""
    order = np.argsort(groups, kind="stable")
    first = np.searchsorted(groups[order], groups[order])
    numbers = np.empty(len(groups), int)
    numbers[order] = np.arange(len(groups)) - first
    return numbers
