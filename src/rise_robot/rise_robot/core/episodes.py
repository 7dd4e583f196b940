"""The episode that runs and those that ended, as rise_msgs/EpisodeStatus tells them. No ROS."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from rise_robot.core.errors import EpisodeError

Kind = Literal["demonstration", "rollout", "dagger"]
Outcome = Literal["unknown", "success", "failure"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class EpisodeRecord:
    """One status of one episode; the fields are those of rise_msgs/EpisodeStatus."""

    episode_id: str
    task: str
    instruction: str
    kind: str
    seed: int
    state: str = "started"
    outcome: str = "unknown"
    score: float = 0.0


class EpisodeLedger:
    """Starts, ends and labels episodes; every method returns the status to publish.

    Args:
        prefix: first part of every episode id, unique among all bags (for example the time of the bringup).
        keep: how many ended episodes can still be labelled.
    """

    def __init__(self, prefix: str, keep: int = 1000) -> None:
        self._prefix, self._keep = prefix, keep
        self._count = 0
        self._ended: dict[str, EpisodeRecord] = {}
        self.running: EpisodeRecord | None = None

    def start(self, *, task: str, instruction: str, kind: str, seed: int) -> EpisodeRecord:
        """Raises EpisodeError while another episode runs, or for an unknown kind."""
        if self.running is not None:
            raise EpisodeError(f"episode {self.running.episode_id} runs; end it first")
        _require("kind", kind, KINDS)
        self.running = EpisodeRecord(f"{self._prefix}_{self._count:04d}", task, instruction, kind, seed)
        self._count += 1
        return self.running

    def score(self, score: float) -> EpisodeRecord:
        """The running episode's new score."""
        self.running = dataclasses.replace(self._running(), state="running", score=score)
        return self.running

    def intervene(self) -> None:
        """A person commanded during the running episode: a rollout becomes a dagger episode."""
        if self.running is not None and self.running.kind == "rollout":
            self.running = dataclasses.replace(self.running, kind="dagger")

    def end(self, outcome: str, *, episode_id: str = "", discard: bool = False) -> EpisodeRecord:
        """Raises EpisodeError when none runs, another one was named, or the outcome is unknown to the messages."""
        running = self._running()
        if episode_id not in ("", running.episode_id):
            raise EpisodeError(f"episode {episode_id} does not run; {running.episode_id} does")
        _require("outcome", outcome, OUTCOMES)
        ended = dataclasses.replace(running, state="discarded" if discard else "ended", outcome=outcome)
        self._ended[ended.episode_id] = ended
        if len(self._ended) > self._keep:
            del self._ended[next(iter(self._ended))]
        self.running = None
        return ended

    def label(
        self, episode_id: str, *, outcome: str = "", kind: str = "", score: float = math.nan, discard: bool = False
    ) -> EpisodeRecord:
        """Correct an ended episode; "" and NaN leave a field as it is. Raises EpisodeError for an unknown episode."""
        if episode_id not in self._ended:
            raise EpisodeError(f"no ended episode {episode_id!r}; known are {list(self._ended)[-5:]}")
        record = self._ended[episode_id]
        _require("outcome", outcome or record.outcome, OUTCOMES)
        _require("kind", kind or record.kind, KINDS)
        self._ended[episode_id] = dataclasses.replace(
            record,
            outcome=outcome or record.outcome,
            kind=kind or record.kind,
            score=record.score if math.isnan(score) else score,
            state="discarded" if discard else record.state,
        )
        return self._ended[episode_id]

    def forget(self) -> None:
        """Episodes that have ended cannot be labelled any more."""
        self._ended.clear()

    def _running(self) -> EpisodeRecord:
        if self.running is None:
            raise EpisodeError("no episode runs")
        return self.running


def _require(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise EpisodeError(f"unknown {what} {value!r}; known are {list(known)}")
