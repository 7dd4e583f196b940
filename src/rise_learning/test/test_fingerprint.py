"""A checkpoint is continued by the same training only, and the difference is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from synthetic import SIZE, make_set

from rise_learning import train_dynamics, train_policy, train_value
from rise_learning.errors import CheckpointError
from rise_learning.presets import get_preset
from rise_learning.self_improve import Args as SelfImproveArgs
from rise_learning.training.fingerprint import differences, fingerprint

EPISODES = make_set()
ARGS = train_policy.Args(bags=(Path("a"),), out=Path("runs/a"))


def training(args: object) -> dict:
    return fingerprint(EPISODES, {"width": 8}, args)


def with_loop(args: train_policy.Args, **changes: object) -> train_policy.Args:
    loop = dataclasses.replace(args.training.loop, **changes)
    return dataclasses.replace(args, training=dataclasses.replace(args.training, loop=loop))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (dataclasses.replace(ARGS, seed=1), "flags.seed: 0 there, 1 here"),
        (dataclasses.replace(ARGS, init=Path("runs/b")), "flags.init: None there, runs/b here"),
        (with_loop(ARGS, learning_rate=0.5), "flags.training.loop.learning_rate: 0.001 there, 0.5 here"),
    ],
)
def test_what_changes_the_weights_is_another_training(other: train_policy.Args, words: str) -> None:
    assert differences(training(ARGS), training(other)) == [words]


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(ARGS, bags=(Path("elsewhere/a"),), out=Path("/somewhere"), threads=1),
        with_loop(ARGS, steps=5000, checkpoint_every=7, log_every=1, device="cuda", shard_optimizer=True),
    ],
)
def test_what_only_takes_longer_or_lies_elsewhere_is_the_same(other: train_policy.Args) -> None:
    assert training(ARGS) == training(other)


def test_a_model_that_is_read_counts_by_its_weights_wherever_it_lies(tmp_path: Path) -> None:
    """Labels of another value model, or another start of the same name, are another training."""

    def with_value(weights: bytes, name: str) -> dict:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "model.safetensors").write_bytes(weights)
        return fingerprint(EPISODES, {"width": 8}, ARGS, {"value": tmp_path / name})

    first = with_value(b"first", "a")
    assert with_value(b"first", "moved") == first
    (words,) = differences(first, with_value(b"retrained", "a"))
    assert words.startswith("models.value: ")


def test_a_refused_resume_leaves_the_settings_of_the_training_alone(tmp_path: Path, monkeypatch) -> None:
    settings = dataclasses.replace(train_value.Args.from_preset("tiny").training.loop, steps=1, batch_size=4)
    training_settings = dataclasses.replace(train_value.Args.from_preset("tiny").training, loop=settings, held_out=0.2)
    args = train_value.Args(bags=(tmp_path,), out=tmp_path, threads=1, training=training_settings)
    monkeypatch.setattr(train_value, "load_bags", lambda *_: EPISODES)
    monkeypatch.setattr(train_value, "get_preset", lambda _: dataclasses.replace(get_preset("tiny"), image_size=SIZE))
    train_value.train(args)
    before = {file.name: file.read_text() for file in (tmp_path / "value").glob("*.json")}
    assert {"config.json", "learned_from.json"} <= before.keys()
    with pytest.raises(CheckpointError, match="flags.seed: 0 there, 1 here"):
        train_value.train(dataclasses.replace(args, seed=1))
    assert before == {file.name: file.read_text() for file in (tmp_path / "value").glob("*.json")}


def test_options_of_every_training_count() -> None:
    dynamics = train_dynamics.Args(bags=(), out=Path("a"))
    assert differences(training(dynamics), training(dataclasses.replace(dynamics, base="none")))
    improvement = SelfImproveArgs(bags=(), out=Path("a"))
    changed = dataclasses.replace(improvement.training, judged_frames=3)
    assert differences(training(improvement), training(dataclasses.replace(improvement, training=changed)))


def test_other_episodes_of_the_same_length_are_other_data() -> None:
    renamed = [dataclasses.replace(each, episode_id=f"{each.episode_id}x") for each in EPISODES.episodes]
    other = training(ARGS) | {"episodes": [each.episode_id for each in renamed] * 9}
    (words,) = differences(training(ARGS), other)
    assert words.startswith("episodes: ") and words.endswith("0 of them the same")
