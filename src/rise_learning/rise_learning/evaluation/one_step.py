"""What one chunk of each policy leads to from the same recorded states, played in the simulator.

Beside the policies stands what choosing among chunks of the first one leads to, the best one or only where a correction
is needed, by who chooses: the simulator itself is the ceiling, the value of true frames loses what the value model does
not see, the learned world model what the dynamics gets wrong besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from tqdm import tqdm

from rise_learning.evaluation.ranking import Report, paired_rate, wins
from rise_learning.evaluation.statistics import mean_and_error, wilson_interval
from rise_learning.policy.interface import Policy
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagination import AS_PROPOSED, Starts, WorldModel, propose
from rise_learning.rl.imagined_episodes import needed_correction

LOST = 0.05
"""Progress that a chunk has to cost to count as a loss: a brick that went by, not an arm that drew back. Two chunks
differ from so much on."""
AT_ONCE = 96
"""Chunks that are judged together; what bounds the memory."""


@dataclass(frozen=True)
class Row:
    """One contestant over S states; differences are paired, state by state, with those of the first contestant.
    Standard errors are by episode.

    Attributes:
        progress: mean progress that a chunk has made at its end, and its standard error.
        difference: mean of what it makes more than the first contestant, and its standard error.
        lost: states from which a chunk ends with less progress than it began with.
        wilson95: interval of their share, as if the states were independent.
        pairs: of a judge that chooses: how often it prefers the better one of the policy's own chunk and another one
            whose true progress differs (`paired_rate`).
    """

    name: str
    states: int
    progress: tuple[float, float]
    difference: tuple[float, float]
    lost: int
    wilson95: tuple[float, float]
    pairs: Report | None = None


def one_step(
    policies: Mapping[str, Policy],
    world_model: WorldModel,
    starts: Starts,
    episode_of: np.ndarray,
    *,
    judges: Mapping[str, WorldModel],
    best_of: int,
    explore: Explorer = AS_PROPOSED,
    judged_frames: int = 1,
    tolerance: float = 0.1,
    top_bin: int,
    seed: int,
) -> list[Row]:
    """One chunk of every policy from each of the starts, and who chooses among `best_of` chunks of the first policy.

    Args:
        episode_of: (S,) of each start.
        judges: who chooses, by name; all choose among the same chunks, the first being the policy's own one above.
        explore: varies the other chunks.
        judged_frames: last frames of a chunk by which judges choose, 0 for all (Eq. 2).
        tolerance: of `needed_correction`.
    """
    own: dict[str, Tensor] = {}
    rises: list[tuple[str, np.ndarray]] = []
    for name, policy in tqdm(policies.items(), "policies", unit="policy"):
        rng = np.random.default_rng(seed)
        _, own[name] = propose(policy.eval(), starts, rng, advantage_bin=top_bin, flow_steps=None)
        rises.append((name, world_model.imagine(starts, own[name], seed).judged(1)))
    first, of_first = rises[0]
    rows = [_row(name, rise, of_first, episode_of) for name, rise in rises]

    rng, many = np.random.default_rng(seed), starts.repeat(best_of)
    _, chunks = propose(policies[first].eval(), many, rng, advantage_bin=top_bin, flow_steps=None)
    varied = np.arange(len(chunks)) % best_of != 0
    chunks[varied] = explore(chunks[varied], many.state[varied], rng)
    chunks[~varied] = own[first]
    by_state = chunks.unflatten(0, (-1, best_of)).numpy()
    true = world_model.imagine(many, chunks, seed).judged(1).reshape(-1, best_of)
    for name, judge in tqdm(judges.items(), f"best of {best_of}", unit="judge"):
        parts = zip(many.split(AT_ONCE), chunks.split(AT_ONCE), strict=True)
        found = [
            judge.imagine(part, these, seed + number).judged(judged_frames)
            for number, (part, these) in enumerate(parts)
        ]
        judged = np.concatenate(found).reshape(-1, best_of)
        pairs = _pairs(judged, true, episode_of)
        for what, chosen in (
            (f"best of {best_of}", judged.argmax(1)),
            (f"needed correction of {best_of}", needed_correction(judged, by_state, tolerance)),
        ):
            rise = np.take_along_axis(true, chosen[:, None], 1)[:, 0]
            rows.append(_row(f"{what} by {name}", rise, of_first, episode_of, pairs))
    return rows


def _pairs(judged: np.ndarray, true: np.ndarray, episode_of: np.ndarray) -> Report:
    """Of (S, N) judgements and true progress in states of episodes (S,)."""
    first_is_better = true[:, :1] > true[:, 1:]
    prefers_first = wins(judged)
    differs = np.abs(true[:, :1] - true[:, 1:]) > LOST
    return paired_rate(np.where(first_is_better, prefers_first, 1.0 - prefers_first), differs, groups=episode_of)


def _row(name: str, rise: np.ndarray, first: np.ndarray, episode_of: np.ndarray, pairs: Report | None = None) -> Row:
    made, more = (mean_and_error(each, episode_of) for each in (rise, rise - first))
    lost = int((rise < -LOST).sum())
    interval = wilson_interval(lost, len(rise))
    return Row(name, len(rise), made, more, lost, interval, pairs)
