"""Where imagination begins: states of recorded episodes (Sec. III-C), drawn alike or mostly where something failed."""

from __future__ import annotations

import numpy as np

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import ConfigError
from rise_learning.rl.imagination import Starts, recorded_starts


def frames_to_begin_from(episodes: EpisodeSet, first_frames: int = 0) -> np.ndarray:
    """Numbers of the frames at which at least one frame follows; of an episode its first ones only, 0 takes all."""
    everything = np.arange(len(episodes))
    within = everything - episodes.first_frame[episodes.episode_of] < (first_frames or np.inf)
    return everything[(episodes.frames_left(everything) > 0) & within]


def offline_starts(
    episodes: EpisodeSet, rng: np.random.Generator, count: int, first_frames: int = 0, failed_share: float = 0.0
) -> Starts:
    """States drawn from the offline data, of `frames_to_begin_from`.

    Args:
        failed_share: above 0, so many of them are of recordings that failed, and the others are not.

    Raises:
        ConfigError: there are none of the recordings that are asked for.
    """
    frames = frames_to_begin_from(episodes, first_frames)
    if not failed_share:
        return recorded_starts(episodes, rng.choice(frames, count))
    failed = np.isin(frames, episodes.frames_of(outcome="failure"))
    drawn, many = [], round(failed_share * count)
    for which, states, what in ((failed, many, "failed"), (~failed, count - many, "did not fail")):
        if states and not which.any():
            raise ConfigError(
                f"failed_share {failed_share:g}: no recording {what}, and {states} states are to be of such"
            )
        drawn.append(rng.choice(frames[which], states))
    return recorded_starts(episodes, rng.permutation(np.concatenate(drawn)))
