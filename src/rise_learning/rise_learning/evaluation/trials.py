"""Blinded trials of several policies on a real robot: who is judged when, and what the judge said, kept on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rise_learning.errors import ConfigError
from rise_learning.evaluation.results import EpisodeResult, summarize
from rise_learning.training.run_directory import write_json

KEY, JUDGED = "key.json", "judged.jsonl"


@dataclass(frozen=True)
class Trial:
    """One trial: `label` is all that the judge sees of the policy."""

    number: int
    label: str


def blinded(policies: Sequence[str], trials: int, seed: int) -> tuple[dict[str, str], list[Trial]]:
    """Labels drawn for the policies, and `trials` of each in blocks that hold every policy once, in random order.

    A block holds every policy, so that light, wear and the judge's mood meet all of them alike, and a session that is
    cut short compares nearly equal numbers.

    Returns:
        Policy by label, and the trials in order, numbered from 1.
    """
    rng = np.random.default_rng(seed)
    labels = [chr(ord("A") + place) for place in range(len(policies))]
    key = {label: policies[place] for label, place in zip(labels, rng.permutation(len(policies)), strict=True)}
    order = [labels[place] for _ in range(trials) for place in rng.permutation(len(labels))]
    return key, [Trial(number, label) for number, label in enumerate(order, start=1)]


class TrialBook:
    """The trials of one directory; what was judged survives any crash, and is not judged again."""

    def __init__(self, path: Path, task: str, policies: Sequence[str], trials: int, seed: int) -> None:
        """Begin, or go on.

        Raises:
            ConfigError: the directory holds other trials, or the policies cannot be told apart.
        """
        if not policies or len(set(policies)) < len(policies) or len(policies) > 26:
            raise ConfigError(f"1 to 26 different policies are needed, got {list(policies)}")
        self.path, self.task = path, task
        self.key, self.trials = blinded(policies, trials, seed)
        plan = {"task": task, "trials_per_policy": trials, "seed": seed, "policies": self.key}
        path.mkdir(parents=True, exist_ok=True)
        if (path / KEY).exists():
            held = json.loads((path / KEY).read_text())
            if held != plan:
                raise ConfigError(f"{path} holds the trials of {held}, asked for {plan}; choose another --out")
        else:
            write_json(path / KEY, plan)
        self._judged = path / JUDGED
        self._results = self._read()

    @property
    def left(self) -> list[Trial]:
        """Trials that nobody has judged yet."""
        return [trial for trial in self.trials if trial.number not in self._results]

    def add(self, trial: Trial, result: EpisodeResult) -> None:
        """Keep what came of a trial; on disk when this returns."""
        line = json.dumps({"trial": trial.number, "label": trial.label, **asdict(result)})
        with self._judged.open("a") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._results[trial.number] = result

    def summaries(self) -> list[dict]:
        """Per policy that was judged: what `evaluate` writes of one."""
        found = []
        for label, policy in self.key.items():
            results = [self._results[t.number] for t in self.trials if t.label == label and t.number in self._results]
            if results:
                summary = {"policy": policy, "label": label, "task": self.task, **summarize(results)}
                found.append({**summary, "results": results})
        return found

    def _read(self) -> dict[int, EpisodeResult]:
        if not self._judged.exists():
            return {}
        text = self._judged.read_text()
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # a crash while a line was written: that trial is judged again
            self._judged.write_text(whole)
        found = {}
        for row in map(json.loads, whole.splitlines()):
            number = row.pop("trial")
            row.pop("label")
            found[number] = EpisodeResult(**{**row, "events": tuple(row["events"])})
        return found
