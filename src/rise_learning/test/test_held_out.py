"""Held-out bags: the same chunks give the same figures as all at once, and pictures show what was measured."""

from __future__ import annotations

import copy
import io
import shutil
from dataclasses import replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from synthetic import SIZE, make_episode, make_set, small_contract

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import DataError
from rise_learning.evaluation.held_out import (
    HeldOutChunks,
    advantage_figures,
    held_out_value,
    steps_against_quality,
    video_figures,
    write_held_out_videos,
)
from rise_learning.evaluation.held_out_text import held_out_lines, steps_lines
from rise_learning.evaluation.imagination_figures import Future, _examples, futures_figure, outcomes_figure
from rise_learning.evaluation.offline import gain_intervals
from rise_learning.rl.imagination import recorded_starts
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.train_dynamics import told_of
from rise_learning.training.world_model_io import save_trained
from rise_robot.core.tracking import JointTracking
from rise_worldmodel.config import CodecConfig, DynamicsConfig, ValueConfig
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.trust import TrustConfig
from rise_worldmodel.value import ValueModel
from rise_worldmodel.video_scores import PublishedMetrics, VideoScores


@pytest.fixture(scope="module")
def episodes() -> EpisodeSet:
    return make_set()


@pytest.fixture(scope="module")
def run(episodes: EpisodeSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    contract, run = episodes.contract, tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    codec = CodecConfig(frames_per_group=5, patch=8, channels=16, content_channels=16)
    dynamics = MultiViewDynamics(
        DynamicsConfig(3, *SIZE, contract.action_dim, contract.chunk_size, contract.frames_per_chunk,
            context_frames=contract.context_frames, heads=2, head_dim=16, layers=1, codec=codec)
    )  # fmt: skip
    inputs = DynamicsInputs.fit(episodes, dynamics.config)
    dynamics.fit_codec(torch.from_numpy(episodes.frames[episodes.future_index(np.arange(8), 5)]))
    save_trained(run / "dynamics", dynamics, contract, **inputs.texts())
    value = ValueModel(ValueConfig(3, *SIZE, (0, 1, 1), (True, False), channels=(8, 16), feature_dim=16, hidden=16))
    save_trained(run / "value", value, contract)
    return run


@pytest.fixture(scope="module")
def model(run: Path, episodes: EpisodeSet) -> LearnedWorldModel:
    return LearnedWorldModel(run, episodes.contract)


def test_processes_imagine_what_one_would(model: LearnedWorldModel, run: Path, episodes: EpisodeSet) -> None:
    contract = episodes.contract
    shared = LearnedWorldModel(run, contract, trust=TrustConfig(repeats=1), workers=2)
    starts = recorded_starts(episodes, np.arange(11))
    chunks = torch.randn(11, contract.chunk_size, contract.action_dim)
    alone = model.asking_for(TrustConfig(repeats=1)).imagine(starts, chunks, seed=3)
    together = shared.imagine(starts, chunks, seed=3)
    assert torch.equal(together.frames, alone.frames), "in order, by the same seeds, in the same portions"
    for name in ("rise", "trust", "value_now"):
        np.testing.assert_allclose(getattr(together, name), getattr(alone, name), rtol=1e-5, err_msg=name)


def test_dynamics_are_sampled_with_the_steps_that_they_are_meant_for(
    model: LearnedWorldModel, run: Path, episodes: EpisodeSet, tmp_path: Path
) -> None:
    """Those of the paper's size are nothing after one step; whoever evaluates them need not say so."""
    shutil.copytree(run, tmp_path / "run")
    texts = {**model.inputs.texts(), "sampling_steps": "7"}
    save_trained(tmp_path / "run/dynamics", model.model.dynamics, episodes.contract, **texts)
    assert LearnedWorldModel(tmp_path / "run", episodes.contract).model.steps == 7
    assert LearnedWorldModel(tmp_path / "run", episodes.contract, dynamics_steps=2).model.steps == 2
    assert model.model.steps == 1


def test_imagined_joints_lag_behind_their_commands(model: LearnedWorldModel, episodes: EpisodeSet) -> None:
    """A policy learns from joints as recorded; those of imagined episodes must not run ahead of them."""
    contract, starts = episodes.contract, recorded_starts(episodes, np.arange(3))
    lagging = copy.copy(model)
    lagging.inputs = replace(model.inputs, tracking=JointTracking((0.5,) * contract.action_dim))
    commands = (starts.state + 1.0)[:, None].repeat(1, contract.chunk_size, 1)
    frames = torch.zeros(3, contract.frames_per_chunk, 1, 1, 1, 3, dtype=torch.uint8)
    rise = lagging.advance(starts, commands, frames).states - starts.state[:, None]
    steps = contract.actions_per_frame * torch.arange(1, contract.frames_per_chunk + 1)
    torch.testing.assert_close(rise, (1 - 0.5**steps)[None, :, None].expand_as(rise), atol=1e-5, rtol=0)


def test_other_actions_are_told_of_the_very_state(model: LearnedWorldModel, episodes: EpisodeSet) -> None:
    """Else the bound is worse for being told of another state, and the gain over it is overstated."""
    g, acting = np.array([0, 1]), np.array([13, 14])
    swapped, own = told_of(episodes, g, model.inputs, acting=acting), told_of(episodes, g, model.inputs)
    other = told_of(episodes, acting, model.inputs)
    assert torch.equal(swapped.actions, other.actions) and not torch.equal(swapped.actions, own.actions)
    assert swapped.state is not None and own.state is not None and torch.equal(swapped.state, own.state)


def test_chunks_are_complete_and_of_every_episode(episodes: EpisodeSet) -> None:
    chunks = HeldOutChunks.draw(episodes, 10, seed=0)
    assert len(chunks.frames) == 10 and set(episodes.episode_of[chunks.frames]) == set(range(5))
    assert (episodes.frames_left(chunks.frames) >= episodes.contract.frames_per_chunk).all()
    again = HeldOutChunks.draw(episodes, 10, seed=0)
    assert np.array_equal(chunks.frames, again.frames)
    short = EpisodeSet(small_contract(), [make_episode(small_contract(), 0, frames=5)])
    with pytest.raises(DataError, match="two whole chunks of 5 frames"):
        HeldOutChunks.draw(short, 4, seed=0)


def test_every_bound_of_table_v_is_there_and_eq_2_is_that_of_its_frames(
    model: LearnedWorldModel, episodes: EpisodeSet
) -> None:
    chunks = HeldOutChunks.draw(episodes, 9, seed=0)
    found = video_figures(model.model.dynamics, model.inputs, chunks, steps=1, published=PublishedMetrics())
    assert (found["chunks"], found["videos"]) == (9, 27)
    for name in ("psnr", "ssim", "epe"):
        for key in (name, f"{name}_copy_last", f"{name}_shuffled_actions", f"codec_{name}"):
            assert np.isfinite(found[key]), key
    assert found["gain_over_copy_last_db"] == pytest.approx(found["psnr"] - found["psnr_copy_last"])
    for key in ("gain_over_copy_last_db", "gain_over_shuffled_actions_db_moving"):
        low, high = found[f"interval95_{key}"]
        assert low <= found[key] <= high and low < high, key
    assert "lpips" not in found and "fvd" not in found, "without their weights they are no figures"
    rows = np.arange(9)
    starts, actions, future = chunks.starts(rows)
    true = model.judge(starts.context[:, -1], future, starts.instructions).advantage
    g = chunks.frames
    words = [episodes.instructions[n] for n in episodes.episode_of[g]]
    values = model.model.values_of(torch.from_numpy(episodes.frames[episodes.future_index(g, 5)]), words)
    now = model.model.values_of(torch.from_numpy(episodes.frames[g])[:, None], words)[:, 0]
    np.testing.assert_allclose(true, (values.mean(1) - now).numpy(), atol=0.02)
    assert -1 <= advantage_figures(model, chunks)["advantage_correlation"] <= 1


def test_resampling_keeps_the_chunks_of_an_episode_together() -> None:
    """Of two episodes one gains 10 dB and one nothing: chunks drawn one by one would never leave one of them out."""
    scores = {name: VideoScores() for name in ("psnr", "psnr_copy_last", "psnr_shuffled_actions")}
    for name, found in scores.items():
        better = 0.01 if name == "psnr" else 0.1
        found.squared = [torch.tensor([[error, 1.0, error, 1.0] for error in [better] * 20 + [0.1] * 20])]
    low, high = gain_intervals(scores, np.repeat([0, 1], 20))["interval95_gain_over_copy_last_db"]
    assert (low, high) == pytest.approx((0.0, 10.0))


def test_the_picture_shows_the_typical_and_the_most_mistaken_episode(episodes: EpisodeSet) -> None:
    values = np.zeros(len(episodes), np.float32)
    values[episodes.last_frame] = [0.9, 0.2, 0.8, 0.7, 0.5]
    shown = [episode.outcome for episode in episodes.episodes]
    chosen = _examples(episodes, values, "success")
    assert chosen[-1] == 1 and shown.count("failure") == 1
    assert _examples(episodes, values, "failure") == [shown.index("failure")]


def test_figures_are_printed(model: LearnedWorldModel, episodes: EpisodeSet) -> None:
    chunks = HeldOutChunks.draw(episodes, 4, seed=0)
    value, values = held_out_value(model.model.value, episodes)
    assert value["auc_success_vs_failure"] == value["auc_success_vs_failure_last"] and values.shape == (len(episodes),)
    rows = steps_against_quality(model, chunks, (1, 2))
    assert [row["steps"] for row in rows] == [1, 2] and rows[0]["psnr"] != rows[1]["psnr"]
    report = {
        "dynamics": video_figures(model.model.dynamics, model.inputs, chunks, steps=1, published=PublishedMetrics()),
        "value": value,
        "recorded_chunks": advantage_figures(model, chunks),
    }
    text = "\n".join([*held_out_lines(report), *steps_lines(rows)])
    assert (
        "4 successes against 1 failures" in text
        and "failures that end with place matched: 1" in text
        and "codec alone" in text
        and "EPE px" in text
    )
    assert held_out_lines({}) == [] and steps_lines([]) == []


def test_clips_and_pictures_can_be_read_back(model: LearnedWorldModel, episodes: EpisodeSet, tmp_path: Path) -> None:
    chunks = HeldOutChunks.draw(episodes, 4, seed=0)
    (name,) = write_held_out_videos(tmp_path, model.model.dynamics, model.inputs, chunks, 1, steps=1)
    assert imageio.imread(tmp_path / name).shape[0] == 5
    values = np.linspace(0, 1, len(episodes))
    picture = outcomes_figure(episodes, values)
    assert picture is not None and min(imageio.imread(io.BytesIO(picture)).shape[:2]) > 400
    unknown = EpisodeSet(episodes.contract, [make_episode(episodes.contract, 0, outcome="unknown")])
    assert outcomes_figure(unknown, values[:12]) is None
    future = Future("expert", episodes.frames[:5], values[:5])
    short, tall = (futures_figure(episodes.frames[0], [future] * n, 15.0, "seed 1") for n in (1, 3))
    assert imageio.imread(io.BytesIO(tall)).shape[0] > imageio.imread(io.BytesIO(short)).shape[0]
