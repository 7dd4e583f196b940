"""Which imagined chunks are worth imitating, told within each state."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from rise_learning.rl.imagination import OnlineSamples


def better_half(advantage: np.ndarray, kept_states: float) -> np.ndarray:
    """Candidates in the upper half of the range that their state allows, of the states with the widest ranges.

    Most states allow nothing: every chunk succeeds, or none does, and what their candidates differ by is chance. Where
    some succeed and others do not, the range is wide, and its middle lies between them. All that succeed are taken:
    the best one is the one that hurries most, and a policy that imitates it hurries everywhere.

    Args:
        advantage: (S, N) of the N candidates of S states.
        kept_states: share of the states that is looked at, in (0, 1].

    Returns:
        (M,) numbers of the kept candidates in `advantage.ravel()`, ascending.
    """
    low, high = advantage.min(1), advantage.max(1)
    count = max(1, round(kept_states * len(advantage)))
    widest = np.argsort(low - high, kind="stable")[:count]
    kept = np.zeros(advantage.shape, bool)
    kept[widest] = advantage[widest] > (0.5 * (low + high))[widest, None]
    return np.flatnonzero(kept)


def middle_of_kept(samples: OnlineSamples, kept: np.ndarray, candidates: int) -> OnlineSamples:
    """One sample per state: the mean of its kept candidates.

    Explored chunks that succeed scatter over all that can succeed; a policy that imitates each of them aims as badly as
    they do, one that imitates their mean aims at the middle (docs/decisions/0005-the-middle-of-what-succeeds.md).

    Args:
        samples: the `candidates` chunks of a state side by side.
        kept: (M,) numbers of chunks, ascending, e.g. of `better_half`.
    """
    states, first, counts = np.unique(kept // candidates, return_index=True, return_counts=True)
    chunks = np.add.reduceat(samples.chunks.numpy()[kept], first) / counts[:, None, None].astype(np.float32)
    advantage = np.add.reduceat(samples.advantage[kept], first) / counts
    return dataclasses.replace(
        samples.select(states * candidates), chunks=torch.from_numpy(chunks), advantage=advantage
    )
