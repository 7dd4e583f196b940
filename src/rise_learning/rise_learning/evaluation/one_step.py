"""What one chunk of each policy leads to from the same recorded states, played in the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from rise_learning.evaluation.statistics import wilson_interval
from rise_learning.policy.interface import Policy
from rise_learning.rl.imagination import Starts, WorldModel, propose

LOST = 0.05
"""Progress that a chunk has to cost to count as a loss: a brick that went by, not an arm that drew back."""


@dataclass(frozen=True)
class Row:
    """One contestant over S states; differences are paired, state by state, with those of the first contestant.

    Attributes:
        progress: mean progress that a chunk has made at its end, and its standard error.
        difference: mean of what it makes more than the first contestant, and its standard error.
        lost: states from which a chunk ends with less progress than it began with; wilson95: interval of their share.
    """

    name: str
    states: int
    progress: tuple[float, float]
    difference: tuple[float, float]
    lost: int
    wilson95: tuple[float, float]


def one_step(
    policies: Mapping[str, Policy], world_model: WorldModel, starts: Starts, *, best_of: int, top_bin: int, seed: int
) -> list[Row]:
    """One chunk of every policy, and the best of `best_of` chunks of the first one, from each of the starts."""
    first = next(iter(policies))
    contestants = [(name, name, 1) for name in policies] + [(f"best of {best_of} of {first}", first, best_of)]
    rises: list[tuple[str, np.ndarray]] = []
    for name, policy, count in tqdm(contestants, "one step", unit="policy"):
        rng, these = np.random.default_rng(seed), starts.repeat(count)
        _, chunks = propose(policies[policy].eval(), these, rng, advantage_bin=top_bin, flow_steps=5)
        rise = world_model.imagine(these, chunks, seed).judged(1)
        rises.append((name, rise.reshape(-1, count).max(1)))
    return [_row(name, rise, rises[0][1]) for name, rise in rises]


def _row(name: str, rise: np.ndarray, first: np.ndarray) -> Row:
    lost = int((rise < -LOST).sum())
    return Row(name, len(rise), _mean(rise), _mean(rise - first), lost, wilson_interval(lost, len(rise)))


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
