"""The figures of a run in one mapping, gathered from what its commands wrote; what has not been run is None."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from rise_learning.errors import RiseLearningError
from rise_learning.evaluation.paired import Evaluated, difference, gain_text

POLICIES = {"imitation": "imitation", "warmup": "policy", "self_improved": "self_improved"}
"""Name in the summary -> directory in the run."""
FILES = {
    "dynamics": "dynamics/held_out.json",
    "value": "value/held_out.json",
    "imagination": "world_model.json",
    "self_improvement": "self_improved/statistics.json",
}
POLICY_KEYS = ("episodes", "successes", "success_rate", "wilson95", "score_mean")
DYNAMICS_KEYS = ("psnr", "psnr_copy_last", "psnr_shuffled_actions", "codec_psnr")
VALUE_KEYS = ("auc_success_vs_failure",)
IMAGINATION_KEYS = (
    "advantage_auc_imagined",
    "advantage_auc_true_frames",
    "interval95_imagined",
    "interval95_true_frames",
    "pooled_auc_imagined",
    "pooled_auc_true_frames",
    "correlation",
    "states",
    "pairs",
    "pairs_that_differ",
    "share_that_differs",
)


def read(path: Path) -> dict[str, Any]:
    """A JSON file, or nothing where it does not exist."""
    return json.loads(path.read_text()) if path.is_file() else {}


def summarize_run(run: Path, timings_s: dict[str, float] | None = None, wall_s: float | None = None) -> dict[str, Any]:
    """What summary.json holds.

    Args:
        timings_s: wall time per stage of a demo, s; stages may have run side by side.
        wall_s: of all of them, s.
    """
    policies = {name: read(run / directory / "evaluation.json") for name, directory in POLICIES.items()}
    found = {name: read(run / file) for name, file in FILES.items()}
    return {
        "policies": {name: _pick(result, POLICY_KEYS) for name, result in policies.items()},
        "gains": _gains(run),
        "dynamics": _pick(found["dynamics"], DYNAMICS_KEYS),
        "value": _pick(found["value"], VALUE_KEYS),
        "imagination": _pick(found["imagination"], IMAGINATION_KEYS),
        "offline_share_realised": found["self_improvement"].get("offline_share_realised"),
        "bins_clipped": found["self_improvement"].get("bins_clipped"),
        "timings_s": timings_s or {},
        "wall_s": wall_s,
    }


def table(summary: dict[str, Any]) -> str:
    """The summary as lines for a terminal."""
    lines = [f"{'policy':16}{'episodes':>9}{'successes':>11}{'rate':>8}{'95 % (Wilson)':>18}{'mean score':>12}"]
    for name, row in summary["policies"].items():
        if row["episodes"]:
            low, high = row["wilson95"]
            interval = f"{low:.1%} to {high:.1%}"
            lines.append(
                f"{name:16}{row['episodes']:9}{row['successes']:11}{row['success_rate']:8.1%}{interval:>18}"
                f"{row['score_mean']:12.2f}"
            )
    lines += [*gain_lines(summary), ""]
    for group in ("dynamics", "value", "imagination"):
        shown = [f"{key} {_text(value)}" for key, value in summary[group].items() if value is not None]
        lines.append(f"{group}: " + (", ".join(shown) or "not run"))
    share, clipped = summary["offline_share_realised"], summary["bins_clipped"]
    lines.append(f"self-improvement: offline share {_text(share)}, {_text(clipped)} advantages outside the bins")
    if summary["wall_s"] is not None:
        lines.append(f"time: {summary['wall_s'] / 60:.1f} minutes")
    return "\n".join(lines)


def gain_lines(summary: dict[str, Any]) -> list[str]:
    """The self-improved policy beside each of the others."""
    return [
        f"self_improved over {name}, points of success scene by scene: {gain_text(gain)}"
        for name, gain in summary["gains"].items()
    ]


def _gains(run: Path) -> dict[str, Any]:
    """`difference` of the self-improved policy to each of the others; nothing where they do not compare."""
    *others, last = POLICIES
    try:
        found = {name: Evaluated.read([run / directory / "evaluation.json"]) for name, directory in POLICIES.items()}
        if any(each.deployment != found[last].deployment for each in found.values()):
            return {}
        return {name: difference([(found[name], found[last])]) for name in others}
    except (OSError, RiseLearningError):
        return {}


def _pick(values: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: _known(values.get(key)) for key in keys}


def _known(value: Any) -> Any:
    """None for a figure that could not be computed: JSON has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list):
        return "(" + " to ".join(f"{item:.3f}" for item in value) + ")"
    return "not run" if value is None else str(value)
