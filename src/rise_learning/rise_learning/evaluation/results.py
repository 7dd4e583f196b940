"""What episodes came to, and their summary; the same for the simulator in process and for a robot over ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rise_learning.evaluation.statistics import wilson_interval


@dataclass(frozen=True)
class EpisodeResult:
    """What one episode came to; `events` are the rubric's, in order, `failure` why it failed, where that is known."""

    seed: int
    success: bool
    score: float
    duration_s: float
    events: tuple[str, ...]
    failure: str = ""


def sentence(what: object, summary: dict, unit: str = "episodes") -> str:
    """What `summarize` says of a policy, for people."""
    low, high = summary["wilson95"]
    why = ", ".join(f"{count} {failure}" for failure, count in summary["failures"].items())
    return (
        f"{what}: {summary['successes']} of {summary['episodes']} {unit} succeeded "
        f"({summary['success_rate']:.1%}, 95 % {low:.1%} to {high:.1%}), mean score {summary['score_mean']:.2f}"
        + (f"; failed: {why}" if why else "")
    )


def rate_of(successes: int, episodes: int) -> dict[str, Any]:
    """Counts, and the Wilson interval of the rate."""
    return {
        "episodes": episodes,
        "successes": successes,
        "success_rate": successes / episodes,
        "wilson95": list(wilson_interval(successes, episodes)),
    }


def summarize(results: Sequence[EpisodeResult]) -> dict:
    """Counts, success rate, Wilson interval and mean score, as summary.json has them; failures by why, most first."""
    failures = Counter(result.failure for result in results if result.failure)
    return {
        **rate_of(sum(result.success for result in results), len(results)),
        "score_mean": float(np.mean([result.score for result in results])),
        "failures": dict(failures.most_common()),
        "seeds": [results[0].seed, results[-1].seed],
    }
