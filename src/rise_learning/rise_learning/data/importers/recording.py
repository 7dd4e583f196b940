"""What every importer offers: a list of recordings by split, and any of them as an Episode."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rise_robot.bag.episode import Episode


@dataclass(frozen=True)
class Recording:
    """One episode to be imported.

    Attributes:
        name: "split/id", e.g. "train/3"; unique in its source.
        split: the source's own division, e.g. train or val.
        path: of its annotation.
    """

    name: str
    split: str
    path: Path


class RecordingSource(Protocol):
    """A directory of recordings in one format."""

    def recordings(self) -> list[Recording]:
        """All of them, sorted. Raises DataError: none there."""
        ...

    def read(self, recording: Recording, start_ns: int) -> Episode:
        """One recording whose first observation is stamped `start_ns`. Raises DataError: broken or incomplete."""
        ...
