"""Where the policies of a run are, and what they are called; needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

from rise_learning.errors import CheckpointError

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
    """What the policy of `directory` calls itself in every ActionChunk and PolicyStatus.

    Raises:
        CheckpointError: its description cannot be read.
    """
    try:
        return str(json.loads((directory / META).read_text())["version"])
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{directory / META} is not the description of a policy: {error}") from error
