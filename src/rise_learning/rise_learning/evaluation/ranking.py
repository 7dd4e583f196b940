"""Does an advantage rank the expert's chunk above corrupted ones from the same state? Paired rates with intervals."""

from __future__ import annotations

import numpy as np

from rise_learning.evaluation.counterfactuals import CORRUPTIONS
from rise_learning.evaluation.statistics import auc, correlation, correlation_within

RESAMPLES = 2000
Report = dict[str, float | int | list[float]]


def wins(advantages: np.ndarray) -> np.ndarray:
    """(S, N) advantages, the expert's first -> (S, N - 1): 1 where the expert's is higher, .5 where equal, else 0."""
    difference = advantages[:, :1] - advantages[:, 1:]
    return (difference > 0) + 0.5 * (difference == 0)


def paired_rate(won: np.ndarray, counted: np.ndarray, seed: int = 0, groups: np.ndarray | None = None) -> Report:
    """Mean of `won` over the pairs that count, and its 95 % interval by a bootstrap over the groups that have one.

    Args:
        won: (S, P) of `wins`.
        counted: (S, P) bool.
        groups: (S,) of states that may be alike, as those of one episode; None: each is by itself.

    Returns:
        `rate` (NaN without pairs), `interval95`, `pairs`, `states` with at least one pair.
    """
    total, count = (won * counted).sum(1), counted.sum(1)
    states = int((count > 0).sum())
    if groups is not None:
        _, group_of = np.unique(groups, return_inverse=True)
        total, count = np.bincount(group_of, total), np.bincount(group_of, count)
    total, count = total[count > 0], count[count > 0]
    if not len(count):
        return {"rate": float("nan"), "interval95": [float("nan")] * 2, "pairs": 0, "states": 0}
    chosen = np.random.default_rng(seed).integers(len(count), size=(RESAMPLES, len(count)))
    resampled = total[chosen].sum(1) / count[chosen].sum(1)
    return {
        "rate": float(total.sum() / count.sum()),
        "interval95": [float(bound) for bound in np.quantile(resampled, [0.025, 0.975])],
        "pairs": int(count.sum()),
        "states": states,
    }


def pooled_auc(advantages: np.ndarray, counted: np.ndarray) -> float:
    """AUC over states together: experts of states with a counted pair against the corrupted chunks that count."""
    return auc(advantages[counted.any(1), 0], advantages[:, 1:][counted])


def ranking_report(
    imagined: np.ndarray, true: np.ndarray, differs: np.ndarray, corruptions: tuple[str, ...] = CORRUPTIONS
) -> dict:
    """How Eq. 2 ranks on imagined and on true frames.

    Args:
        imagined, true: (S, N) advantages of the chunks of S states, the expert's first.
        differs: (S, N - 1) bool: pairs whose real consequences differ; only they count.
        corruptions: kinds of the chunks but the expert's.
    """
    every = np.ones_like(differs)
    report: dict = {
        "states": len(imagined),
        "pairs": int(differs.size),
        "pairs_that_differ": int(differs.sum()),
        "share_that_differs": float(differs.mean()),
        "correlation": correlation(imagined, true),
        "correlation_within_state": correlation_within(imagined, true),
    }
    for name, advantages in (("imagined", imagined), ("true_frames", true)):
        won, found = wins(advantages), paired_rate(wins(advantages), differs)
        report[f"advantage_auc_{name}"] = found["rate"]
        report[f"interval95_{name}"] = found["interval95"]
        report[f"all_pairs_{name}"] = paired_rate(won, every)["rate"]
        report[f"pooled_auc_{name}"] = pooled_auc(advantages, differs)
        report[f"by_kind_{name}"] = {
            kind: paired_rate(won[:, [i]], differs[:, [i]]) for i, kind in enumerate(corruptions)
        }
    return report
