"""What episodes came to, and their summary; the same for the simulator in process and for a robot over ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rise_learning.evaluation.statistics import wilson_interval


@dataclass(frozen=True)
class EpisodeResult:
    """What one episode came to; `events` are the rubric's, in order."""

    seed: int
    success: bool
    score: float
    duration_s: float
    events: tuple[str, ...]


def sentence(what: object, summary: dict, unit: str = "episodes") -> str:
    """What `summarize` says of a policy, for people."""
    low, high = summary["wilson95"]
    return (
        f"{what}: {summary['successes']} of {summary['episodes']} {unit} succeeded "
        f"({summary['success_rate']:.1%}, 95 % {low:.1%} to {high:.1%}), mean score {summary['score_mean']:.2f}"
    )


def summarize(results: Sequence[EpisodeResult]) -> dict:
    """Counts, success rate, Wilson interval and mean score, as summary.json has them."""
    successes = sum(result.success for result in results)
    return {
        "episodes": len(results),
        "successes": successes,
        "success_rate": successes / len(results),
        "wilson95": list(wilson_interval(successes, len(results))),
        "score_mean": float(np.mean([result.score for result in results])),
        "seeds": [results[0].seed, results[-1].seed],
    }
