"""Chains that are followed: each goes on from its own frames, as far as its episode, beside what was recorded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from synthetic import SIZE, make_episode, small_contract
from torch import Tensor

from rise_learning import evaluate_chains
from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeArrays, EpisodeSet
from rise_learning.errors import ConfigError, DataError
from rise_learning.evaluate_chains import Args, evaluate
from rise_learning.evaluation.followed_chains import chain_lines, chain_report, follow
from rise_learning.model_choices import PatchModel
from rise_learning.rl.imagination import Imagined, Starts
from rise_learning.train_dynamics import new_dynamics
from rise_learning.training import learned_from
from rise_learning.training.learned_from import LearnedFrom

CONTRACT = small_contract()
VIEWS, CHUNK = len(CONTRACT.cameras), CONTRACT.frames_per_chunk
GREY = 100
"""Of every first frame; successes get brighter by one a frame, failures darker. V is the brightness."""


def episode(seed: int, frames: int, outcome: str) -> EpisodeArrays:
    grey = GREY + np.arange(frames) * (1 if outcome == "success" else -1)
    pictures = np.broadcast_to(grey[:, None, None, None, None], (frames, VIEWS, *SIZE, 3)).astype(np.uint8)
    made = make_episode(CONTRACT, seed, frames=frames, kind="rollout", outcome=outcome)
    return dataclasses.replace(made, frames=pictures)


ENDINGS = ((21, "success"), (9, "success"), (21, "failure"), (21, "failure"))
EPISODES = EpisodeSet(CONTRACT, [episode(seed, *ending) for seed, ending in enumerate(ENDINGS)])
STARTS = EPISODES.first_frame + 1
INPUTS = new_dynamics(EPISODES, SIZE, 0, PatchModel(heads=1, layers=1, channels=16), control_maps=False)[1]


def brightness(frames: Tensor) -> np.ndarray:
    return frames.float().flatten(2).mean(2).numpy()


@dataclasses.dataclass
class World:
    """Goes on as the last two frames did, or (`blind`) shows the last one for ever."""

    blind: bool = False
    inputs: DynamicsInputs = dataclasses.field(default_factory=lambda: INPUTS)

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        last = starts.context[:, -1:].int()
        slope = 0 * last if self.blind else last - starts.context[:, -2:-1].int()
        frames = (last + slope * torch.arange(1, CHUNK + 1).view(1, -1, 1, 1, 1, 1)).to(torch.uint8)
        return self.judge(starts.context[:, -1], frames, starts.instructions)

    def judge(self, now: Tensor, frames: Tensor, instructions: list[str]) -> Imagined:
        here = brightness(now[:, None])
        return Imagined(frames, brightness(frames) - here, value_now=here[:, 0])


def test_chains_that_see_what_comes_tell_what_was_recorded() -> None:
    found = follow(World(), EPISODES, STARTS, links=3, seed=0)
    assert [after.links for after in found] == [0, 1, 2, 3]
    whole = found[2]
    np.testing.assert_allclose(whole.imagined, [GREY + 15, GREY - 15, GREY - 15])
    np.testing.assert_allclose(whole.recorded, whole.imagined)
    assert not whole.squared_error.any() and whole.succeeded.tolist() == [True, False, False]


def test_a_chain_ends_with_its_episode() -> None:
    """The second episode has 7 frames left behind its start: one link, and no frame of the third episode."""
    found = follow(World(), EPISODES, STARTS, links=9, seed=0)
    assert [len(after.succeeded) for after in found] == [4, 4, 3, 3]
    np.testing.assert_allclose(found[1].recorded, [GREY + 10, GREY + 8, GREY - 10, GREY - 10])


def test_chains_go_on_from_what_was_imagined() -> None:
    """Whoever imagines that nothing happens must still see nothing happen three links on, whatever was recorded."""
    found = follow(World(blind=True), EPISODES, STARTS, links=3, seed=0)
    for after in found[2:]:
        np.testing.assert_allclose(after.imagined, [GREY + 1, GREY - 1, GREY - 1])
    rows = chain_report(found, CHUNK)
    errors = np.mean(np.square([11, 12, 13, 14, 15]))
    assert rows[2]["psnr"] == pytest.approx(10 * np.log10(255**2 / errors))
    assert rows[2]["success_recorded"] == GREY + 15 and rows[2]["failure_imagined"] == GREY - 1
    assert rows[2]["frames"] == 10 + CHUNK and rows[2]["episodes"] == 3 and rows[2]["successes"] == 1


def test_without_failures_there_is_no_auc_but_a_table() -> None:
    rows = chain_report(follow(World(), EPISODES, STARTS[:2], links=1, seed=0), CHUNK)
    assert np.isnan(rows[0]["auc_imagined"]) and np.isnan(rows[0]["failure_recorded"])
    assert len(chain_lines(rows)) == 4


def run_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: EpisodeSet) -> Args:
    """A run whose models have learned from `read`; the world above stands for them."""
    for name in ("value", "dynamics"):
        (tmp_path / name).mkdir()
        LearnedFrom.of(read, ()).write(tmp_path / name)
    world = World()
    config = SimpleNamespace(height=SIZE[0], width=SIZE[1])
    world.model = SimpleNamespace(dynamics=SimpleNamespace(config=config))  # type: ignore[attr-defined]
    monkeypatch.setattr(evaluate_chains, "trained_contract", lambda _: CONTRACT)
    monkeypatch.setattr(evaluate_chains, "LearnedWorldModel", lambda *_: world)
    monkeypatch.setattr(learned_from, "load_bags", lambda *_: EPISODES)
    return Args(tmp_path, (tmp_path / "bags",), links=2, out=tmp_path / "chains.json")


def test_the_command_writes_a_row_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = EpisodeSet(CONTRACT, [episode(9, 21, "success")])
    rows = evaluate(run_of(tmp_path, monkeypatch, others))
    assert [row["auc_imagined"] for row in rows] == [1.0, 1.0, 1.0]
    assert json.loads((tmp_path / "chains.json").read_text())["links"] == rows


def test_episodes_that_were_learned_from_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="rollout_0, .*were used to train"):
        evaluate(run_of(tmp_path, monkeypatch, EPISODES))


def test_negative_links_are_refused() -> None:
    with pytest.raises(ConfigError, match="no negative links"):
        evaluate(Args(Path("run"), (Path("bags"),), links=-1))
