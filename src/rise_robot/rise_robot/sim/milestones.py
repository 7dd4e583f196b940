"""The rubric of tasks whose sub-goals follow one another (Table VII of RISE): four milestones of 2.5 each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rise_robot.core.rubric import RubricEventRecord
from rise_robot.sim.task import MAX_SCORE, Outcome

MILESTONES = 4
MILESTONE_SCORE = MAX_SCORE / MILESTONES
PERIODS = 5
"""Control periods in a row for which a sub-goal must hold to count."""
LOST_PERIODS = 15
"""Control periods in a row after which something beyond recovery ends the episode."""


@dataclass(frozen=True)
class MilestoneState:
    """How far an episode has come; immutable, so that a saved state is one reference.

    Attributes:
        reached: milestones that count.
        streak: control periods in a row for which the next one has held.
        lost_for: control periods in a row for which the task has been beyond recovery.
        settled_since: s, since when the whole task has stood finished; inf while it does not.
        reason: of a failure.
    """

    reached: int = 0
    streak: int = 0
    lost_for: int = 0
    settled_since: float = math.inf
    outcome: Outcome = "running"
    reason: str = ""

    @property
    def score(self) -> float:
        return MILESTONE_SCORE * self.reached


@dataclass(frozen=True)
class Judgement:
    """What a task says of one control period.

    Attributes:
        holds: the next milestone's condition; once all are reached, whether the task still stands finished.
        lost: why it is beyond recovery; "" while it is not.
        lapse: the reason to give should the time end now.
    """

    holds: bool
    lost: str = ""
    lapse: str = "timeout"


def advance(
    state: MilestoneState,
    judgement: Judgement,
    names: tuple[str, ...],
    now: float,
    *,
    settle: float,
    time_limit: float,
) -> tuple[MilestoneState, tuple[RubricEventRecord, ...]]:
    """The rubric after one more control period that ended at `now` (s), and the events that it brought.

    The episode succeeds when everything has stood finished for `settle` s, and fails when something has been lost for
    LOST_PERIODS or at `time_limit` (s). A failure is told by an event `failed` whose subject is the reason.
    """
    if state.outcome != "running":
        return state, ()
    events = []
    stamp = round(now * 1e9)
    state = replace(
        state,
        streak=state.streak + 1 if judgement.holds else 0,
        lost_for=state.lost_for + 1 if judgement.lost else 0,
    )
    if state.reached < MILESTONES and state.streak >= PERIODS:
        state = replace(state, reached=state.reached + 1, streak=0)
        events.append(RubricEventRecord(stamp, names[state.reached - 1], "", MILESTONE_SCORE, state.score))
    finished = state.reached == MILESTONES and (judgement.holds or bool(events))
    state = replace(state, settled_since=min(state.settled_since, now) if finished else math.inf)
    if now >= state.settled_since + settle - 1e-6:
        return replace(state, outcome="success"), tuple(events)
    reason = judgement.lost if state.lost_for >= LOST_PERIODS else judgement.lapse if now >= time_limit - 1e-6 else ""
    if reason:
        events.append(RubricEventRecord(stamp, "failed", reason, 0.0, state.score))
        state = replace(state, outcome="failure", reason=reason)
    return state, tuple(events)
