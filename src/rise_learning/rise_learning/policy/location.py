"""Where the policies of a run are, and what they are called; needs no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rise_learning.errors import CheckpointError
from rise_learning.rl.bins import AdvantageBins

META = "model.json"
STAGES = ("self_improved", "policy", "imitation")
"""Policies of a run, the newest stage first."""


def policy_directory(run: Path) -> Path:
    """`run` itself where it is a policy, else its newest stage."""
    for candidate in (run, *(run / stage for stage in STAGES)):
        if (candidate / META).is_file():
            return candidate
    raise CheckpointError(f"no policy in {run} ({', '.join(STAGES)}); train one with train_policy")


def policy_version(directory: Path) -> str:
    """What the policy of `directory` calls itself in every ActionChunk and PolicyStatus: run, stage, step and weights.

    Raises:
        CheckpointError: its description cannot be read.
    """
    (version,) = _described(directory, "version")
    return str(version)


def policy_bins(directory: Path) -> AdvantageBins | None:
    """The advantage bins that the policy of `directory` was taught; None where it was not.

    Raises:
        CheckpointError: its description cannot be read.
    """
    (bins,) = _described(directory, "bins")
    return AdvantageBins(**bins) if bins else None


def best_bin(directory: Path) -> int:
    """The advantage bin that deployment asks the policy of `directory` for. Raises CheckpointError as policy_bins."""
    bins, config = _described(directory, "bins", "config")
    return AdvantageBins(**bins).top if bins else int(config["bins"])


def _described(directory: Path, *keys: str) -> list[Any]:
    try:
        description = json.loads((directory / META).read_text())
        return [description[key] for key in keys]
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{directory / META} is not the description of a policy: {error}") from error
