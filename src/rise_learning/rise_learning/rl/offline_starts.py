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


def shares_of_frames(
    episodes: EpisodeSet, first_frames: int = 0, failed_share: float = 0.0
) -> list[tuple[np.ndarray, float]]:
    """Frames to begin from, and what share of the states is drawn from them: of recordings that failed, of all others.

    Raises:
        ConfigError: there are none of the recordings that are asked for.
    """
    frames = frames_to_begin_from(episodes, first_frames)
    if not failed_share:
        return [(frames, 1.0)]
    failed = np.isin(frames, episodes.frames_of(outcome="failure"))
    found = [(frames[failed], failed_share), (frames[~failed], 1 - failed_share)]
    for (these, share), what in zip(found, ("failed", "did not fail"), strict=True):
        if share and not len(these):
            raise ConfigError(f"failed_share is {failed_share:g}, but no recording {what}; 0 draws from all alike")
    return found


def offline_starts(
    episodes: EpisodeSet, rng: np.random.Generator, count: int, first_frames: int = 0, failed_share: float = 0.0
) -> Starts:
    """`count` states drawn from the offline data.

    Args:
        first_frames: only these of an episode; 0 takes all.
        failed_share: above 0, so many of them are of recordings that failed, and the others are not.

    Raises:
        ConfigError: there are none of the recordings that are asked for.
    """
    (first, share), *others = shares_of_frames(episodes, first_frames, failed_share)
    many = round(share * count)
    drawn = [rng.choice(first, many), *(rng.choice(frames, count - many) for frames, _ in others)]
    return recorded_starts(episodes, rng.permutation(np.concatenate(drawn)) if others else drawn[0])
