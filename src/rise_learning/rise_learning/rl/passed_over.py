"""Candidates that were passed over where an imagined episode was led: what the lower bins are learned from."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.imagination import OnlineSamples, Starts, policy_images


def passed_over(
    here: Starts,
    chunks: Tensor,
    judged: np.ndarray,
    trust: np.ndarray,
    *,
    count: int,
    tolerance: float,
    among: np.ndarray,
    history: tuple[int, ...],
    depth: int,
    rng: np.random.Generator,
) -> OnlineSamples:
    """Of each of B states `count` candidates at most that are clearly worse than its best one, drawn alike.

    States whose candidates differ by no more than twice the tolerance have none: their order is noise. The advantage of
    a sample is where it lies in its state, 0 the worst candidate and 1 the best: bins of what is comparable only
    between states would say more of the state than of the chunk (docs/decisions/0003).

    Args:
        chunks: (B, N, K, A) candidates.
        judged: (B, N) advantages (Eq. 2).
        trust: (B, N) how far each may be trusted, what led to its state included.
        tolerance: what a candidate may be judged below the best one without being clearly worse.
        among: (B,) which states to look at.
        depth: the number of the choice, 0 for the first.
    """
    best, worst = judged.max(1, keepdims=True), judged.min(1, keepdims=True)
    worse = (judged < best - tolerance) & (best - worst > 2 * tolerance) & among[:, None]
    drawn = [rng.permutation(np.flatnonzero(row))[:count] for row in worse] if count else []
    rows = np.repeat(np.arange(len(drawn)), [len(places) for places in drawn])
    places = np.concatenate(drawn) if len(rows) else rows
    spread = np.maximum(best - worst, np.finfo(np.float32).tiny)
    states = here.select(rows)
    return OnlineSamples(
        policy_images(states.context, history),
        states.state,
        states.instructions,
        chunks[rows, places],
        ((judged - worst) / spread)[rows, places],
        np.full(len(rows), depth),
        rows,
        trust[rows, places],
    )


def bins_within_state(samples: OnlineSamples, bins: AdvantageBins) -> np.ndarray:
    """(N,) bins of what `passed_over` found: uniform between the worst and the best of a state, below the top one."""
    uniform = AdvantageBins(0.0, 1.0, bins.count, bins.experts_apart)
    return np.minimum(uniform(samples.advantage), bins.top - 1)
