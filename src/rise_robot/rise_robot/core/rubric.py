"""One event of a task's rubric (Table VII of RISE), as decided from physics or by a judge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RubricEventRecord:
    """What happened, to what, and what it was worth.

    Attributes:
        stamp: int ns on the clock of the recording, when it was decided.
        name: e.g. grasp, place_matched, place_wrong, lost, cleared.
        subject: what it happened to, e.g. "brick_2/red"; "" when it concerns the whole episode.
        score_delta: change of the episode's score; may be 0 or negative.
        score: score after the event.
    """

    stamp: int
    name: str
    subject: str
    score_delta: float
    score: float
