"""What a model has learned from, itself and through every model that it builds on: what no evaluation of it may use."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.errors import CheckpointError, DataError
from rise_learning.training.run_directory import write_json
from rise_robot.core.contract import Contract

logger = logging.getLogger(__name__)
FILE = "learned_from.json"


@dataclass(frozen=True)
class LearnedFrom:
    """Episodes by id, so that neither a moved bag nor a copied one hides them.

    Attributes:
        episodes: ids.
        scenes: (task, seed) of simulated ones.
        unknown: directories of models that it builds on and that do not say what they learned from.
    """

    episodes: frozenset[str] = frozenset()
    scenes: frozenset[tuple[str, int]] = frozenset()
    unknown: frozenset[str] = frozenset()

    def __or__(self, other: LearnedFrom) -> LearnedFrom:
        return LearnedFrom(self.episodes | other.episodes, self.scenes | other.scenes, self.unknown | other.unknown)

    @classmethod
    def of(cls, episodes: EpisodeSet, models: Iterable[Path] = ()) -> LearnedFrom:
        """Of a training on `episodes` that begins with `models`, or is told something by them."""
        found = cls(
            frozenset(episode.episode_id for episode in episodes.episodes),
            frozenset((episode.task, episode.seed) for episode in episodes.episodes if episode.seed >= 0),
        )
        for directory in models:
            found |= cls.read(directory)
        return found

    @classmethod
    def read(cls, directory: Path) -> LearnedFrom:
        """Raises CheckpointError where the file is there and cannot be read."""
        path = directory / FILE
        if not path.is_file():
            return cls(unknown=frozenset([str(directory.resolve())]))
        try:
            stored = json.loads(path.read_text())
            scenes = {
                (task, seed)
                for task, ranges in stored["scenes"].items()
                for first, last in ranges
                for seed in range(first, last + 1)
            }
            return cls(frozenset(stored["episodes"]), frozenset(scenes), frozenset(stored["unknown"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path} cannot be read ({type(error).__name__}: {error})") from error

    def write(self, directory: Path) -> None:
        """To `directory/learned_from.json`; seeds as [first, last] ranges."""
        write_json(directory / FILE, self.plain())

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        tasks = sorted({task for task, _ in self.scenes})
        scenes = {task: _ranges(sorted(seed for of, seed in self.scenes if of == task)) for task in tasks}
        return {"episodes": sorted(self.episodes), "scenes": scenes, "unknown": sorted(self.unknown)}


def require_unread(directories: Iterable[Path], held_out: EpisodeSet) -> None:
    """Raises DataError where one of the trained models has learned from an episode of `held_out`.

    A model that does not say what it learned from is named in a warning.
    """
    for directory in directories:
        found = LearnedFrom.read(directory)
        both = sorted(found.episodes & {episode.episode_id for episode in held_out.episodes})
        if both:
            raise DataError(
                f"{', '.join(both[:8])}{', ...' if len(both) > 8 else ''} ({len(both)} of {len(held_out.episodes)} "
                f"episodes) were used to train {directory}; give episodes that no training has read"
            )
        _warn_of_unknown(directory, found)


def load_unread(
    bags: Sequence[Path], size: tuple[int, int], run: Path, trainings: Iterable[str], contract: Contract
) -> EpisodeSet:
    """Episodes of `bags` for models of `run` that have not read them; frames of `size` (height, width).

    Raises:
        DataError: one of the named `trainings` has.
        ContractMismatchError: they are of another robot than `contract`.
    """
    episodes = load_bags(list(bags), size)
    require_unread([run / name for name in trainings], episodes)
    contract.require_same(episodes.contract, ours=str(run), theirs=str(bags[0]))
    return episodes


def warn_of_known_scenes(directory: Path, task: str, seeds: Iterable[int]) -> None:
    """Warn where the policy in `directory`, or what it builds on, has learned from scenes that it is evaluated on."""
    found = LearnedFrom.read(directory)
    both = [seed for seed in seeds if (task, seed) in found.scenes]
    if both:
        logger.warning(
            "%s has learned from %d of these scenes (seeds %d to %d): this is no held-out evaluation, choose another "
            "--seed", directory, len(both), both[0], both[-1],
        )  # fmt: skip
    _warn_of_unknown(directory, found)


def _warn_of_unknown(directory: Path, found: LearnedFrom) -> None:
    if found.unknown:
        logger.warning(
            "%s builds on %s, which does not say what it has learned from: whether this evaluation is held out is "
            "not known", directory, ", ".join(sorted(found.unknown)),
        )  # fmt: skip


def _ranges(seeds: list[int]) -> list[tuple[int, int]]:
    """[first, last] of every run of consecutive seeds."""
    runs = itertools.groupby(enumerate(seeds), key=lambda pair: pair[1] - pair[0])
    spans = [[seed for _, seed in run] for _, run in runs]
    return [(span[0], span[-1]) for span in spans]
