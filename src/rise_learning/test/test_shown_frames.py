"""Value models that are shown what dynamics make of recorded frames: each stands for the frame whose label it bears."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import SIZE, make_episode, small_contract

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import ConfigError
from rise_learning.train_dynamics import new_dynamics
from rise_learning.train_value import ValueObjective, new_value
from rise_learning.training import shown_frames
from rise_learning.training.shown_frames import Imagining, ShownFrames
from rise_learning.training_settings import ValueTraining
from rise_worldmodel.dynamics import MultiViewDynamics

CONTRACT = small_contract()
FRAMES = 30


def brightening() -> EpisodeSet:
    """Successes whose pictures grow brighter by a known amount from frame to frame."""
    level = np.arange(FRAMES, dtype=np.uint8)[:, None, None, None, None] * 8
    pictures = np.broadcast_to(level, (FRAMES, len(CONTRACT.cameras), *SIZE, 3))
    episodes = [make_episode(CONTRACT, seed, frames=FRAMES) for seed in range(3)]
    return EpisodeSet(CONTRACT, [dataclasses.replace(episode, frames=pictures) for episode in episodes])


EPISODES = brightening()


@pytest.fixture(scope="module")
def dynamics() -> tuple[MultiViewDynamics, DynamicsInputs]:
    model, inputs = new_dynamics(EPISODES, SIZE, 0, control_maps=False)
    return model.eval(), inputs


def level_of(g: np.ndarray) -> np.ndarray:
    return (g - EPISODES.first_frame[EPISODES.episode_of[g]]) * 8.0


@pytest.mark.parametrize("links", [0, 2])
def test_a_shown_frame_stands_for_the_recorded_one(dynamics, links: int) -> None:
    shown = ShownFrames.imagine(*dynamics, EPISODES, Imagining(6, links), seed=0)
    assert len(shown.of) == len(shown.frames) == 2 * 6 * CONTRACT.frames_per_chunk
    imagined, coded = np.split(np.arange(len(shown.of)), 2)
    levels = shown.frames[coded].astype(float).mean((1, 2, 3, 4))
    assert np.abs(levels - level_of(shown.of[coded])).max() < 4
    np.testing.assert_array_equal(shown.of[imagined], shown.of[coded])


def test_the_same_seed_shows_the_same(dynamics) -> None:
    first, again, other = (ShownFrames.imagine(*dynamics, EPISODES, Imagining(3, 2), seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.frames, again.frames)
    assert not np.array_equal(first.of, other.of)


def test_what_a_killed_training_showed_is_shown_again_to_it_alone(dynamics, tmp_path: Path) -> None:
    shown = ShownFrames.imagine(*dynamics, EPISODES, Imagining(3), 0)
    path = tmp_path / "shown.safetensors"
    assert ShownFrames.load(path, "this") is None
    shown.save(path, "this")
    loaded = ShownFrames.load(path, "this")
    assert loaded is not None
    np.testing.assert_array_equal(loaded.frames, shown.frames)
    np.testing.assert_array_equal(loaded.of, shown.of)
    assert ShownFrames.load(path, "another") is None
    path.write_bytes(path.read_bytes()[:100])
    assert ShownFrames.load(path, "this") is None


def test_a_share_of_frames_gives_way() -> None:
    shown = ShownFrames(np.array([3, 4, 5]), np.full((3, 3, *SIZE, 3), 200, np.uint8))
    g, rng = np.full(2000, 1), np.random.default_rng(0)
    numbers, pictures = shown.replace(g, EPISODES.frames[g], 0.25, np.array([0, 2]), rng)
    taken = numbers != 1
    assert 0.2 < taken.mean() < 0.3 and set(numbers[taken]) == {3, 5}
    assert (pictures[taken] == 200).all() and (pictures[~taken] == 8).all()
    assert (g == 1).all()
    unchanged, _ = shown.replace(g, EPISODES.frames[g], 1.0, np.array([], int), rng)
    assert unchanged is g


def test_the_objective_reads_shown_frames_with_the_labels_of_recorded_ones() -> None:
    settings = ValueTraining(imagined_share=1.0)
    model = new_value(EPISODES, ((), ()), settings, SIZE, 0)
    last = EPISODES.last_frame
    shown = ShownFrames(last, np.full((len(last), 3, *SIZE, 3), 200, np.uint8))
    read: list[torch.Tensor] = []
    model.register_forward_hook(lambda _, inputs, __: read.append(inputs[0]))
    objective = ValueObjective(model, EPISODES, ((), ()), settings, 0, td=False)
    objective.show(shown)
    metrics = objective(0)
    assert (read[0] == 200).all()
    with torch.no_grad():
        value = model(torch.from_numpy(shown.frames[:1]), EPISODES.instructions[:1]).value
    torch.testing.assert_close(metrics["progress"], (value - 1.0).square().mean(), rtol=1e-4, atol=1e-5)


def test_nothing_cannot_be_shown() -> None:
    with pytest.raises(ConfigError, match="at least one chunk"):
        Imagining(0)


def test_without_a_progress_bar_imagining_ends_too(dynamics, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with TQDM_DISABLE=1, where a bar counts nothing."""
    monkeypatch.setattr(shown_frames, "tqdm", functools.partial(shown_frames.tqdm, disable=True))
    rounds = iter(range(2))
    show = shown_frames._shown
    monkeypatch.setattr(shown_frames, "_shown", lambda *args: next(rounds) + 1 and show(*args))
    assert len(ShownFrames.imagine(*dynamics, EPISODES, Imagining(3), 0).of) == 2 * 3 * CONTRACT.frames_per_chunk
