"""Recorded states to compare from, spread over as many episodes as there are."""

from __future__ import annotations

import numpy as np

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import ConfigError
from rise_learning.rl.imagination import Starts, recorded_starts
from rise_learning.rl.offline_starts import frames_to_begin_from


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
    frames = rng.permutation(frames_to_begin_from(episodes, first_frames))
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
