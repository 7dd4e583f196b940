"""The rubric of Dynamic Brick Sorting (Table VII of RISE), advanced once per control period from what physics shows.

A brick is worth 1.0 when it is grasped (held by both fingers of one gripper and lifted) and 1.5 when it lies in a
bin of its colour; the score is capped at 10. An episode succeeds when every brick was put into a matched bin and lies
there at the end. A brick in a wrong bin, or off the belt, cannot be recovered; the episode then goes on until every
brick is decided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from rise_robot.core.rubric import RubricEventRecord
from rise_robot.sim.brick_sorting import BrickSpec
from rise_robot.sim.cell import ARMS
from rise_robot.sim.scene import BIN_CENTRES, COLOURS
from rise_robot.sim.task import MAX_SCORE, Outcome

Consequence = Literal["belt", "held", "right", "wrong", "lost"]
GRASP_SCORE, PLACE_SCORE = 1.0, 1.5
GRASP_PERIODS, REST_PERIODS, LOST_PERIODS = 3, 4, 9
"""Control periods in a row after which a brick counts as grasped, as placed, and as lost."""


@dataclass(frozen=True)
class BrickView:
    """What physics says about one brick after a control period.

    Attributes:
        position: (3,) m. speed: m/s.
        held_by: arm whose two fingers both touch it, or "".
        touched: by any part of a gripper.
        lifted: clear of the belt by at least 15 mm.
        on_belt: within the outline of the belt, not below its surface.
        bin: (arm, colour) of the bin inside which it is, or None.
    """

    position: np.ndarray
    speed: float
    held_by: str
    touched: bool
    lifted: bool
    on_belt: bool
    bin: tuple[str, str] | None

    @property
    def resting_off_belt(self) -> bool:
        return not self.touched and not self.on_belt and self.speed < 0.05


@dataclass(frozen=True)
class BrickRecord:
    """Progress of one brick through the rubric; `lifted_for` and `resting_for` count control periods in a row.

    `placed`: it has lain in a matched bin, whatever became of it.
    """

    spec: BrickSpec
    entered: bool = False
    grasped: bool = False
    held_by: str = ""
    fate: Literal["", "right", "wrong", "lost"] = ""
    placed: bool = False
    grasped_at: tuple[float, float] = (0.0, 0.0)  # x, y where it was last taken hold of, m
    lifted_for: int = 0
    resting_for: int = 0

    @property
    def consequence(self) -> Consequence:
        return self.fate or ("held" if self.held_by else "belt")


@dataclass(frozen=True)
class RubricState:
    """Score and fate of every brick; immutable, so that a saved state is one reference."""

    bricks: tuple[BrickRecord, ...]
    score: float = 0.0
    decided_at: float = math.inf  # s, when the last brick was decided
    outcome: Outcome = "running"


@dataclass
class _Ledger:
    """Collects the events of one control period and keeps the capped score."""

    stamp: int
    score: float
    events: list[RubricEventRecord] = field(default_factory=list)

    def add(self, name: str, subject: str, worth: float = 0.0) -> None:
        gained = min(worth, MAX_SCORE - self.score)
        self.score += gained
        self.events.append(RubricEventRecord(self.stamp, name, subject, gained, self.score))


def advance(
    state: RubricState, views: list[BrickView], now: float, *, settle: float, time_limit: float
) -> tuple[RubricState, tuple[RubricEventRecord, ...]]:
    """The rubric after one more control period that ended at `now` (s), and the events that it brought."""
    ledger = _Ledger(stamp=round(now * 1e9), score=state.score)
    bricks = tuple(_advance_brick(record, view, ledger) for record, view in zip(state.bricks, views, strict=True))
    decided_at, outcome = state.decided_at, state.outcome
    if all(record.fate for record in bricks) and math.isinf(decided_at):
        decided_at = now
        if _all_right(bricks):
            ledger.add("cleared", "")
    if outcome == "running" and now > min(decided_at + settle, time_limit) - 1e-6:
        bricks = tuple(_as_it_lies(record, view, ledger) for record, view in zip(bricks, views, strict=True))
        outcome = "success" if _all_right(bricks) else "failure"
    return RubricState(bricks, ledger.score, decided_at, outcome), tuple(ledger.events)


def _all_right(bricks: tuple[BrickRecord, ...]) -> bool:
    return all(record.fate == "right" for record in bricks)


def _advance_brick(record: BrickRecord, view: BrickView, ledger: _Ledger) -> BrickRecord:
    if record.fate or not record.entered:
        return record
    changed = replace(
        record,
        held_by=view.held_by,
        lifted_for=record.lifted_for + 1 if view.held_by and view.lifted else 0,
        resting_for=record.resting_for + 1 if view.resting_off_belt else 0,
    )
    if view.held_by and not record.held_by:
        changed = replace(changed, grasped_at=(float(view.position[0]), float(view.position[1])))
    if changed.lifted_for >= GRASP_PERIODS and not record.grasped:
        ledger.add("grasp", record.spec.subject, GRASP_SCORE)
        changed = replace(changed, grasped=True)
    if view.bin is not None and changed.resting_for >= REST_PERIODS:
        matched = _is_in_place(record, view)
        ledger.add("place_matched" if matched else "place_wrong", record.spec.subject, PLACE_SCORE * matched)
        return replace(changed, fate="right" if matched else "wrong", placed=matched, held_by="")
    if view.bin is None and changed.resting_for >= LOST_PERIODS:
        return _lost(changed, ledger)
    return changed


def _as_it_lies(record: BrickRecord, view: BrickView, ledger: _Ledger) -> BrickRecord:
    """At the end of an episode: a brick that has left the bin in which it lay is lost."""
    return record if record.fate != "right" or _is_in_place(record, view) else _lost(record, ledger)


def _is_in_place(record: BrickRecord, view: BrickView) -> bool:
    return view.bin is not None and view.bin[1] == record.spec.colour


def _lost(record: BrickRecord, ledger: _Ledger) -> BrickRecord:
    ledger.add("lost", record.spec.subject)
    return replace(record, fate="lost", held_by="")


def failure_reason(state: RubricState) -> str:
    """Why a failed episode failed, by its first brick that is not in place; "" without failure."""
    if state.outcome != "failure":
        return ""
    record = next(record for record in state.bricks if record.fate != "right")
    if record.fate == "wrong":
        return "wrong bin"
    if record.placed:
        return "knocked out"
    if record.fate == "lost":
        return "slip" if record.grasped else "missed grasp"
    return "timeout"


def brick_progress(record: BrickRecord, view: BrickView, tool: np.ndarray) -> float:
    """Privileged progress of one brick, in [-0.5, 1].

    Up to .25 for the nearness of its arm's `tool` (3,), .35 once held, up to .75 over the matched bin, 1 placed,
    -.5 in a wrong bin or lost. Carrying counts only while no other bin is nearer than the matched one.
    """
    if record.fate:
        return 1.0 if record.fate == "right" else -0.5
    carried = 0.4 * _carried(record, view.position[:2])
    if record.held_by:
        return 0.35 + carried
    if record.grasped and not view.on_belt:  # released and falling
        return 0.35 + carried if carried else 0.0
    return 0.25 * math.exp(-math.dist(tool.tolist(), view.position.tolist()) / 0.12)


def _carried(record: BrickRecord, xy: np.ndarray) -> float:
    """How far the brick has come from where it was taken towards the nearer bin of its colour, in [0, 1]."""
    colour = record.spec.colour
    if _bin_distance(xy, colour) > min(_bin_distance(xy, other) for other in COLOURS):
        return 0.0
    whole = max(_bin_distance(np.array(record.grasped_at), colour), 0.05)
    return float(np.clip(1.0 - _bin_distance(xy, colour) / whole, 0.0, 1.0))


def _bin_distance(xy: np.ndarray, colour: str) -> float:
    """Distance in m from `xy` (2,) to the centre of the nearer bin of `colour`."""
    return min(math.dist(xy, BIN_CENTRES[arm, colour]) for arm in ARMS)
