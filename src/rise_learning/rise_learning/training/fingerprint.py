"""What makes a training the one that it is: only the same training may continue a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import CheckpointError
from rise_learning.training.run_directory import to_plain
from rise_learning.training.world_model_io import FILE

HOW = ("bags", "out", "threads", "evaluation", "video_every")
"""Flags that leave the weights as they are, or are told otherwise (bags: by their episodes)."""
HOW_LONG = (
    "steps", "checkpoint_every", "log_every", "device", "bfloat16", "shard_optimizer", "shard_parameters",
)  # fmt: skip
"""Of the loop, likewise. More steps of the same training are welcome, though their learning rate falls more slowly."""


def fingerprint(
    episodes: EpisodeSet, model: Any, args: Any, models: Mapping[str, Path] | None = None
) -> dict[str, Any]:
    """Data, model, every flag that changes the weights, and the models that are read, fit for JSON.

    Args:
        episodes: that are trained on.
        model: configuration of the trained module.
        args: flags of the command, with those of its training in `training`.
        models: directories of trained models that the training begins with or is told something by, by their role.
    """
    settings = _without(to_plain(args), HOW)
    training = _without(settings.pop("training"), HOW)
    return {
        "contract": episodes.contract.digest,
        "frames": len(episodes),
        "episodes": [episode.episode_id for episode in episodes.episodes],
        "model": to_plain(model),
        "models": {role: weights_digest(directory / FILE) for role, directory in (models or {}).items()},
        "flags": settings | {"training": training | {"loop": _without(training["loop"], HOW_LONG)}},
    }


def differences(there: Any, here: Any, name: str = "") -> list[str]:
    """Where two fingerprints differ, in words: `flags.seed: 1 there, 0 here`."""
    if isinstance(there, dict) and isinstance(here, dict):
        return [
            words
            for key in sorted(there.keys() | here.keys())
            for words in differences(there.get(key, "nothing"), here.get(key, "nothing"), f"{name}.{key}".lstrip("."))
        ]
    if there == here:
        return []
    if isinstance(there, list) and isinstance(here, list) and max(len(there), len(here)) > 8:
        return [f"{name}: {len(there)} there, {len(here)} here, {len(set(there) & set(here))} of them the same"]
    return [f"{name}: {there} there, {here} here"]


def weights_digest(weights: Path) -> str:
    """Of the file, as `sha256sum` begins."""
    if not weights.is_file():
        raise CheckpointError(f"{weights} does not exist; train it first")
    with weights.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _without(mapping: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in names}
