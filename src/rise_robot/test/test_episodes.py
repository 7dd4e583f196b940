"""The book of episodes."""

from __future__ import annotations

import math

import pytest

from rise_robot.core.episodes import EpisodeLedger, EpisodeRecord
from rise_robot.core.errors import EpisodeError


def start(ledger: EpisodeLedger, kind: str = "rollout") -> EpisodeRecord:
    return ledger.start(task="brick_sorting", instruction="sort", kind=kind, seed=3)


def test_life_of_an_episode() -> None:
    ledger = EpisodeLedger("cell")
    assert start(ledger).state == "started"
    running = ledger.score(1.5)
    assert (running.state, running.score, running.outcome) == ("running", 1.5, "unknown")
    ended = ledger.end("success")
    assert (ended.state, ended.outcome, ended.score, ledger.running) == ("ended", "success", 1.5, None)
    assert start(ledger).episode_id != ended.episode_id


def test_one_episode_at_a_time() -> None:
    ledger = EpisodeLedger("cell")
    with pytest.raises(EpisodeError, match="no episode runs"):
        ledger.end("success")
    first = start(ledger)
    with pytest.raises(EpisodeError, match=first.episode_id):
        start(ledger)
    with pytest.raises(EpisodeError, match="does not run"):
        ledger.end("success", episode_id="another")
    with pytest.raises(EpisodeError, match="unknown outcome 'running'"):
        ledger.end("running")
    assert ledger.running == first


@pytest.mark.parametrize(("kind", "becomes"), [("rollout", "dagger"), ("demonstration", "demonstration")])
def test_a_person_who_takes_over_makes_a_rollout_a_dagger_episode(kind: str, becomes: str) -> None:
    ledger = EpisodeLedger("cell")
    ledger.intervene()
    start(ledger, kind)
    ledger.intervene()
    assert ledger.end("failure").kind == becomes


def test_labels_correct_ended_episodes_only() -> None:
    ledger = EpisodeLedger("cell", keep=1)
    running = start(ledger)
    with pytest.raises(EpisodeError, match="no ended episode"):
        ledger.label(running.episode_id, outcome="success")
    ended = ledger.end("unknown")
    labelled = ledger.label(ended.episode_id, outcome="success")
    assert (labelled.outcome, labelled.score, labelled.kind) == ("success", ended.score, ended.kind)
    again = ledger.label(ended.episode_id, score=4.0, discard=True)
    assert (again.outcome, again.score, again.state) == ("success", 4.0, "discarded")
    with pytest.raises(EpisodeError, match="unknown kind"):
        ledger.label(ended.episode_id, kind="demo", score=math.nan)
    start(ledger)
    ledger.end("failure")
    with pytest.raises(EpisodeError, match="no ended episode"):
        ledger.label(ended.episode_id, outcome="success")
