"""Does trust tell good imaginations from bad ones? Against how far Eq. 2 is off, and by what it ranks rightly."""

from __future__ import annotations

from typing import Any

import numpy as np

from rise_learning.evaluation.ranking import paired_rate, wins
from rise_learning.evaluation.statistics import auc, correlation


def trust_report(imagined: np.ndarray, true: np.ndarray, differs: np.ndarray, doubts: dict[str, np.ndarray]) -> dict:
    """Every measure of doubt beside the error of the imagined advantage.

    Args:
        imagined, true: (S, N) Eq. 2 of the chunks of S states, the expert's first.
        differs: (S, N - 1) bool, see `ranking_report`.
        doubts: by name, (S, N), higher where an imagination is trusted less.

    Returns:
        `advantage_error`, mean |imagined - true|; per measure `by_doubt`: its correlation (Pearson, Spearman) with that
        error, `auc_large_error` of the quarter with the largest errors against the rest, and for the half of the
        imaginations that is doubted less (`kept`) and the other (`dropped`) the mean error and the paired rate of the
        expert over the pairs that lie in it.
    """
    error = np.abs(imagined - true)
    large = error > np.quantile(error, 0.75)
    report: dict[str, Any] = {"chunks": int(error.size), "advantage_error": float(error.mean()), "by_doubt": {}}
    for name, doubt in doubts.items():
        kept = doubt <= np.median(doubt)
        halves = {half: _half(imagined, error, differs, mask) for half, mask in (("kept", kept), ("dropped", ~kept))}
        report["by_doubt"][name] = {
            "pearson": correlation(doubt, error),
            "spearman": correlation(_ranks(doubt), _ranks(error)),
            "auc_large_error": auc(doubt[large], doubt[~large]),
            **halves,
        }
    return report


def _ranks(values: np.ndarray) -> np.ndarray:
    """(N,) places in ascending order, equal values at the mean of theirs."""
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * (counts - 1))[inverse]


def _half(imagined: np.ndarray, error: np.ndarray, differs: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    found = paired_rate(wins(imagined), differs & mask[:, :1] & mask[:, 1:])
    return {
        "advantage_error": float(error[mask].mean()) if mask.any() else float("nan"),
        "advantage_auc": found["rate"],
        "interval95": found["interval95"],
        "pairs": found["pairs"],
    }


def trust_lines(report: dict) -> list[str]:
    """For a terminal."""
    lines = [
        f"doubt and error of Eq. 2: {report['chunks']} imaginations, mean error {report['advantage_error']:.3f}",
        f"{'measure':16}{'Pearson':>9}{'Spearman':>10}{'AUC large':>11}"
        f"{'error kept / dropped':>22}{'AUC kept / dropped':>20}",
    ]
    for name, found in report["by_doubt"].items():
        kept, dropped = found["kept"], found["dropped"]
        lines.append(
            f"{name:16}{found['pearson']:9.2f}{found['spearman']:10.2f}{found['auc_large_error']:11.2f}"
            f"{kept['advantage_error']:13.3f} / {dropped['advantage_error']:.3f}"
            f"{kept['advantage_auc']:12.2f} / {dropped['advantage_auc']:.2f}"
        )
    return lines
