"""Episode marks: where each episode of a bag begins and ends, from its EpisodeStatus messages."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rise_robot.bag.episode import as_kind, as_outcome
from rise_robot.bag.messages import stamp_of
from rise_robot.core.episodes import Kind, Outcome
from rise_robot.core.errors import BagError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mark:
    """One episode of a bag.

    Attributes:
        start_ns, end_ns: header stamps of its marks; end_ns is None when the recording stopped before its end.
        start_log_ns, end_log_ns: times at which the marks were recorded (another clock, under simulated time).
        late: the recording began while the episode was running.
    """

    episode_id: str
    task: str
    instruction: str
    kind: Kind
    outcome: Outcome
    score: float
    seed: int
    start_ns: int
    start_log_ns: int
    end_ns: int | None = None
    end_log_ns: int | None = None
    late: bool = False


def collect_marks(statuses: Iterable[tuple[str, int, Any]], source: str) -> list[Mark]:
    """Marks of all episodes that are not discarded, by their start.

    Args:
        statuses: (topic, time of recording in ns, EpisodeStatus) in the order of recording. The newest status of an
            episode counts for kind, outcome and score (LabelEpisode); the first "ended" for its end.
        source: the bag, for messages.
    """
    marks: dict[str, Mark] = {}
    discarded: set[str] = set()
    for _, log_ns, status in statuses:
        name, state = status.episode_id, status.state
        if not name:
            raise BagError(f"{source}: an episode status without episode_id at {stamp_of(status)} ns")
        if state == "discarded":
            discarded.add(name)
        if name not in marks:
            if state not in ("started", "running"):
                log.info("%s: episode %s ended before the recording began", source, name)
                continue
            marks[name] = _begin(status, log_ns)
        elif state == "started" and stamp_of(status) != marks[name].start_ns:  # else latched, and heard once more
            raise BagError(f"{source}: episode {name} starts twice; episode ids must be unique")
        mark = marks[name] = dataclasses.replace(
            marks[name], kind=as_kind(status.kind), outcome=as_outcome(status.outcome), score=float(status.score)
        )
        if state == "ended" and mark.end_ns is None:
            marks[name] = dataclasses.replace(mark, end_ns=stamp_of(status), end_log_ns=log_ns)
    kept = [mark for name, mark in marks.items() if name not in discarded]
    return sorted(kept, key=lambda mark: mark.start_ns)


def _begin(status: Any, log_ns: int) -> Mark:
    return Mark(
        episode_id=status.episode_id,
        task=status.task,
        instruction=status.instruction,
        kind=as_kind(status.kind),
        outcome=as_outcome(status.outcome),
        score=float(status.score),
        seed=int(status.seed),
        start_ns=stamp_of(status),
        start_log_ns=log_ns,
        late=status.state == "running",
    )
