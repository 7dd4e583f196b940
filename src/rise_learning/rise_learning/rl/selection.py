"""Which imagined chunks are worth imitating, told within each state."""

from __future__ import annotations

import numpy as np


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
