"""What a model has learned from is known through every model that it builds on, and no evaluation takes it for new."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import make_set

from rise_learning import evaluate
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import CheckpointError, DataError
from rise_learning.evaluation.results import EpisodeResult
from rise_learning.training.base import SHIPPED
from rise_learning.training.learned_from import LearnedFrom, require_unread, warn_of_known_scenes
from rise_robot.node_table import EVALUATION_SEED

EPISODES = make_set()
TASK = EPISODES.episodes[0].task


def of_seeds(*seeds: int) -> EpisodeSet:
    """Episodes of these scenes."""
    first = EPISODES.episodes[0]
    return EpisodeSet(EPISODES.contract, [replace(first, episode_id=f"episode_{seed}", seed=seed) for seed in seeds])


def test_a_model_has_learned_from_what_its_models_have_learned_from(tmp_path: Path) -> None:
    """Pre-training, the value that labels, the start of a policy: wherever their bags are now."""
    (tmp_path / "base").mkdir()
    LearnedFrom.of(of_seeds(7, 8, 9)).write(tmp_path / "base")
    (tmp_path / "policy").mkdir()
    LearnedFrom.of(of_seeds(3), [tmp_path / "base"]).write(tmp_path / "policy")
    found = LearnedFrom.read(tmp_path / "policy")
    assert found.scenes == {(TASK, seed) for seed in (3, 7, 8, 9)} and not found.unknown
    require_unread([tmp_path / "policy"], of_seeds(1, 2))
    with pytest.raises(DataError, match=r"episode_8 \(1 of 2 episodes\) were used to train .*policy"):
        require_unread([tmp_path / "policy"], of_seeds(2, 8))


def test_a_model_that_does_not_say_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "policy").mkdir()
    LearnedFrom.of(of_seeds(3), [tmp_path / "older"]).write(tmp_path / "policy")
    with caplog.at_level(logging.WARNING):
        require_unread([tmp_path / "policy"], of_seeds(1))
    assert f"builds on {tmp_path / 'older'}, which does not say" in caplog.text
    (tmp_path / "policy" / "learned_from.json").write_text('{"episodes"')
    with pytest.raises(CheckpointError, match=r"learned_from.json cannot be read"):
        LearnedFrom.read(tmp_path / "policy")


def test_scenes_of_the_training_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    LearnedFrom.of(of_seeds(3, 4, 5)).write(tmp_path)
    with caplog.at_level(logging.WARNING):
        warn_of_known_scenes(tmp_path, TASK, range(6, 9))
        warn_of_known_scenes(tmp_path, "another_task", range(9))
        assert not caplog.text
        warn_of_known_scenes(tmp_path, TASK, range(4, 9))
    assert "learned from 2 of these scenes (seeds 4 to 5)" in caplog.text


def test_unknown_seeds_are_no_scenes() -> None:
    assert not LearnedFrom.of(of_seeds(-1)).scenes


def test_the_shipped_base_says_what_it_was_pre_trained_on() -> None:
    found = LearnedFrom.read(SHIPPED / "dynamics")
    assert not found.unknown and ("brick_sorting", 2_400_000) in found.scenes
    evaluated = range(EVALUATION_SEED, EVALUATION_SEED + 1000)
    assert not found.scenes & {("brick_sorting", seed) for seed in evaluated}


def test_recorded_episodes_are_not_those_that_are_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that learned from what `evaluate --record` made is evaluated by `evaluate` on other scenes."""
    asked: list[list[int]] = []

    def noted(directory, deployment, task, seeds, **_):
        asked.append(seeds)
        return [EpisodeResult(seed, True, 1.0, 1.0, (), "") for seed in seeds]

    monkeypatch.setattr(evaluate, "evaluate_policy", noted)
    monkeypatch.setattr(evaluate, "policy_directory", lambda run: run)
    for record in (None, tmp_path / "bag"):
        evaluate.evaluate(evaluate.Args(tmp_path, episodes=50, record=record))
    assert not set(asked[0]) & set(asked[1])
    evaluate.evaluate(evaluate.Args(tmp_path, episodes=2, seed=5, record=tmp_path / "bag"))
    assert asked[2] == [5, 6], "what is named is taken"
