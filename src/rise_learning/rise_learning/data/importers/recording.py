"""What every importer offers: a list of recordings by split, and any of them as an Episode."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from rise_robot.bag.episode import CameraStream, Episode
from rise_robot.core.contract import Contract
from rise_robot.core.episodes import Outcome

UNTITLED = "untitled"
"""Task of episodes without a text; their instruction stays empty."""


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


def imported_episode(
    contract: Contract,
    episode_id: str,
    *,
    instruction: str,
    outcome: Outcome,
    times: np.ndarray,
    positions: np.ndarray,
    commands: np.ndarray,
    images: dict[str, CameraStream],
    source: str,
) -> Episode:
    """An episode of another format: a failure is there to be judged, not imitated, and no person took over.

    Args:
        times: (T,) ns, of the joint positions and of the commands (T, A) alike.
    """
    return Episode(
        episode_id=episode_id,
        task=instruction or UNTITLED,
        instruction=instruction,
        kind="rollout" if outcome == "failure" else "demonstration",
        outcome=outcome,
        score=float("nan") if outcome == "unknown" else float(outcome == "success"),
        seed=-1,
        contract=contract,
        joint_stamps=times,
        joint_positions=positions,
        command_stamps=times,
        commands=commands,
        clean_commands=commands,
        human=np.zeros(len(commands), bool),
        images=images,
        start_ns=int(times[0]),
        end_ns=int(times[-1]),
        source=source,
    )
