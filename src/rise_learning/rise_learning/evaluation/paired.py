"""Policies compared scene by scene: what `evaluate` wrote of them, and differences of success with their errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rise_learning.errors import ConfigError, DataError
from rise_learning.evaluation.results import rate_of
from rise_learning.evaluation.statistics import mean_and_error


@dataclass(frozen=True)
class Evaluated:
    """What a policy made of scenes.

    Attributes:
        successes: scene (task, its configuration, seed) -> whether it succeeded there.
        deployment: how it was deployed, as `evaluate --deployment` has it.
    """

    successes: dict[str, bool]
    deployment: dict[str, Any]

    @classmethod
    def read(cls, files: Sequence[Path]) -> Evaluated:
        """What `evaluate --out` wrote, one file after another.

        Raises:
            DataError: a file is something else; a scene was evaluated twice, or not all of them alike.
        """
        successes: dict[str, bool] = {}
        deployment: dict[str, Any] | None = None
        for file in files:
            try:
                found = json.loads(file.read_text())
                scenes = {
                    json.dumps([found["task"], found["config"], row["seed"]], sort_keys=True): bool(row["success"])
                    for row in found["results"]
                }
                deployed = found["deployment"]
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{file} is no evaluation of simulated episodes ({error!r})") from error
            if twice := len(successes.keys() & scenes.keys()):
                raise DataError(f"{twice} scenes of {file} are in another evaluation beside it; name one by --files")
            if deployment not in (None, deployed):
                raise DataError(
                    f"{file} was deployed otherwise than {files[0]}; name those that belong together by --files"
                )
            successes, deployment = successes | scenes, deployed
        return cls(successes, deployment or {})

    def rate(self) -> dict[str, Any]:
        """Counts, and the Wilson interval of the rate."""
        return rate_of(sum(self.successes.values()), len(self.successes))


def difference(pairs: Sequence[tuple[Evaluated, Evaluated]]) -> dict[str, Any]:
    """How much more often the second of each pair succeeds, on the same scenes.

    Several pairs are several trainings; that theirs are the same scenes is in the error, which is by scene.

    Raises:
        ConfigError: the policies of a pair were evaluated on other scenes.
    """
    gains: list[int] = []
    scenes: list[str] = []
    for before, after in pairs:
        if other := len(before.successes.keys() ^ after.successes.keys()):
            raise ConfigError(
                f"{other} scenes were evaluated for one policy only (one has {len(before.successes)}, the other "
                f"{len(after.successes)}); evaluate both with the same --task, --level, --episodes and --seed"
            )
        for scene, succeeded in before.successes.items():
            gains.append(int(after.successes[scene]) - int(succeeded))
            scenes.append(scene)
    gain = np.array(gains)
    mean, error = mean_and_error(gain.astype(float), np.array(scenes))
    return {"gain": mean, "error": error, "won": int((gain > 0).sum()), "lost": int((gain < 0).sum())}


def gain_text(gain: dict[str, Any]) -> str:
    """What `difference` found, in points of success."""
    return f"{100 * gain['gain']:+.1f} +- {100 * gain['error']:.1f}  ({gain['won']} won, {gain['lost']} lost)"
