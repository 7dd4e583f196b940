"""Success rates with Wilson intervals, ranking with AUC."""

from __future__ import annotations

import math

import numpy as np

Z95 = 1.959963984540054


def wilson_interval(successes: int, episodes: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a success rate (E. B. Wilson, 1927), 95 % by default.

    Raises:
        ValueError: there were no episodes, or more successes than episodes.
    """
    if not 0 <= successes <= episodes or episodes == 0:
        raise ValueError(f"{successes} successes of {episodes} episodes is no rate")
    rate, spread = successes / episodes, z * z / episodes
    centre = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(rate * (1 - rate) / episodes + spread / (4 * episodes))
    return max(0.0, centre - half), min(1.0, centre + half)


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a positive scores above a negative, ties half; NaN where one side is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    difference = np.asarray(positive)[:, None] - np.asarray(negative)[None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def auc_interval(positive: np.ndarray, negative: np.ndarray, resamples: int = 2000, seed: int = 0) -> list[float]:
    """95 % interval of `auc`: a bootstrap over both groups."""
    rng = np.random.default_rng(seed)
    drawn = [auc(rng.choice(positive, len(positive)), rng.choice(negative, len(negative))) for _ in range(resamples)]
    return [float(bound) for bound in np.quantile(drawn, [0.025, 0.975])]


def paired_wins(better: np.ndarray, worse: np.ndarray) -> float:
    """Share of pairs in which `better[i]` scores above `worse[i]`, ties half; NaN without pairs."""
    if not len(better):
        return float("nan")
    difference = np.asarray(better) - np.asarray(worse)
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's, of two arrays of one shape; NaN where one of them does not vary."""
    a, b = first.ravel() - first.mean(), second.ravel() - second.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / scale) if scale > 0 else float("nan")


def correlation_within(first: np.ndarray, second: np.ndarray) -> float:
    """`correlation` of (S, N) and (S, N), what differs between rows left out."""
    return correlation(*(values - values.mean(1, keepdims=True) for values in (first, second)))


def mean_and_error(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Mean of (N,) and its standard error, robust to members of one of the groups (N,) being alike.

    As Liang and Zeger (1986): deviations are summed up within each group, e.g. an episode. With a group for every value
    it is the plain standard error; with a single one it is unknown, NaN.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    sums = np.bincount(group_of, values - values.mean())
    spread = float(np.square(sums).sum()) * len(sums) / (len(sums) - 1) if len(sums) > 1 else float("nan")
    return float(values.mean()), math.sqrt(spread) / len(values)
