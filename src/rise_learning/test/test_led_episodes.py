"""What leading gains: truly, as it seemed while it was chosen, and imagined anew."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from line_world import CHUNK, Line, holding
from synthetic import SIZE, make_set, untrained_policy
from torch import Tensor

from rise_learning import evaluate_leading
from rise_learning.errors import CheckpointError, ConfigError
from rise_learning.evaluate_leading import Args, compare
from rise_learning.evaluation.led_episodes import Ends, gains, learned_from, led_and_alone
from rise_learning.policy.checkpoint import save_policy
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.imagination import AS_PROPOSED, Imagined, Starts, Travelled
from rise_learning.rl.imagined_episodes import Guidance
from rise_robot.core.contract import Contract, config_path

STATES = 80


class Still(Line):
    """Its pictures are of what stood there at the start."""

    def advance(self, starts: Starts, commands: Tensor, frames: Tensor) -> Travelled:
        states = super().advance(starts, commands, frames).states
        return Travelled(starts.context[:, -1:].repeat(1, states.shape[1], 1, 1, 1, 1), states)


class Blurred(Still):
    """Imagines every chunk with an error of its own."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        found = super().imagine(starts, chunks, seed)
        error = np.random.default_rng([seed, len(chunks)]).normal(scale=0.2, size=(len(chunks), 1))
        return dataclasses.replace(found, rise=found.rise + error)


class Policy:
    """Holds its position."""

    config = SimpleNamespace(history=(-1, 0), basis_size=2)
    sample = staticmethod(holding)

    def eval(self) -> Policy:
        return self


class Climbing(Policy):
    """Goes up by a fifth in the course of a chunk."""

    @staticmethod
    def sample(inputs: Any, noise: Tensor, steps: int, guidance: float) -> Tensor:
        return holding(inputs, noise, steps, guidance) + torch.linspace(0.02, 0.2, CHUNK)[:, None]


def test_what_was_picked_among_equals_seems_better_until_it_is_imagined_anew() -> None:
    """All candidates are the same chunk, so leading gains nothing; who picks the best imagined one thinks it does."""
    state = torch.linspace(0.0, 0.5, STATES)[:, None]
    starts = Starts(torch.zeros(STATES, 4, 1, 1, 1, 1, dtype=torch.uint8), state, ["go"] * STATES)
    led, alone = led_and_alone(
        Policy(), Blurred(), Still(), starts, Guidance(2, 4, 12, 1, tolerance=0.0),  # type: ignore[arg-type]
        explore=AS_PROPOSED, top_bin=10, flow_steps=1, judgements=2, onward_chunks=1, seed=0,
    )  # fmt: skip
    assert led.true == pytest.approx(state[:, 0].numpy()) and alone.true == pytest.approx(led.true)
    chosen, anew = gains(led, alone, np.arange(STATES))
    assert chosen.imagined[0] > 0.2, "the best of twelve errors"
    assert anew.imagined == pytest.approx((0.0, 0.0), abs=1e-6), "both ways in the same noise"
    assert chosen.true == anew.true == pytest.approx((0.0, 0.0), abs=1e-6)


def test_the_best_quarter_is_that_of_the_judge_and_its_gain_is_the_true_one() -> None:
    nothing, true = np.zeros(8), np.array([0.4, -0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.6])
    led = Ends(np.array([9.0, 8.0, 1, 1, 1, 1, 1, 0]), true + 1, true, nothing, nothing)
    chosen, anew = gains(led, Ends(nothing, nothing, nothing, nothing, nothing), np.arange(8))
    assert (chosen.best[0], chosen.better, chosen.worse) == (pytest.approx(0.1), 1, 1)
    assert (anew.best[0], anew.better, anew.worse) == (pytest.approx(0.5), 2, 0)
    assert anew.correlation == pytest.approx(1.0) and chosen.correlation < 0.5
    assert anew.imagined[0] == pytest.approx(1.1) and anew.true[0] == pytest.approx(0.1)


def test_the_command_writes_what_was_played_and_what_it_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = saved_policy(tmp_path, monkeypatch, AdvantageBins(-1.0, 1.0, 10))
    compare(dataclasses.replace(args, out=tmp_path / "leading.json"))
    found = json.loads((tmp_path / "leading.json").read_text())
    assert [len(found["ends"][way][name]) for way in ("led", "alone") for name in ("chosen", "anew", "true")] == [8] * 6
    by_hand = np.subtract(found["ends"]["led"]["anew"], found["ends"]["alone"]["anew"]).mean()
    assert [gain["judge"] for gain in found["gains"]] == ["as it was chosen", "imagined anew"]
    assert found["gains"][1]["imagined"][0] == pytest.approx(by_hand) and found["args"]["states"] == 8
    printed = capsys.readouterr().out
    assert printed.count("over 8 episodes") == 2 and "done when played on" in printed
    assert found["learned_from"]["episodes"] == 8
    compare(dataclasses.replace(args, json=True))
    assert json.loads(capsys.readouterr().out)["ends"] == found["ends"], "the same seed"


def test_what_would_be_learned_from_is_held_against_the_same_scenes_alone() -> None:
    nothing, done = np.zeros(4), np.array([True, True, False, False])
    led = Ends(nothing, nothing, nothing, done, np.array([True, False, True, True]))
    alone = Ends(nothing, nothing, nothing, np.array([False, True, True, False]), np.ones(4, bool))
    assert learned_from(led, alone) == {
        "episodes": 4, "done_led": 0.5, "done_alone": 0.5,
        "kept": 3, "kept_done_led": pytest.approx(1 / 3), "kept_done_alone": pytest.approx(1 / 3),
    }  # fmt: skip


def test_the_policy_plays_on_behind_what_it_was_led_through() -> None:
    """One that goes on by itself gets there; judged at the end of the commands, nothing is done yet."""
    state = torch.full((16, 1), 0.5)
    starts = Starts(torch.zeros(16, 4, 1, 1, 1, 1, dtype=torch.uint8), state, ["go"] * 16)
    ends = [
        led_and_alone(
            Climbing(), Still(), Still(), starts, Guidance(1, 4, 3, 1),  # type: ignore[arg-type]
            explore=AS_PROPOSED, top_bin=10, flow_steps=1, judgements=1, onward_chunks=chunks, seed=0,
        )
        for chunks in (1, 8)
    ]  # fmt: skip
    assert [bool(end.done.all()) for pair in ends for end in pair] == [False, False, True, True]
    assert (ends[1][0].true < 0.99).all()


def test_a_policy_without_bins_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"policy has no advantage bins; warm it up with train_policy"):
        compare(saved_policy(tmp_path, monkeypatch, None))


def saved_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bins: AdvantageBins | None) -> Args:
    """An untrained policy, led from synthetic frames; worlds of one joint stand for the learned and the true one."""
    contract = Contract.load(config_path("contract_tiny.yaml"))
    save_policy(tmp_path / "policy", untrained_policy(contract, image_size=SIZE), contract, bins, "untrained")
    monkeypatch.setattr(evaluate_leading, "load_bags", lambda *_: make_set(contract))
    monkeypatch.setattr(evaluate_leading, "recorded_task", lambda _: "brick_sorting")
    monkeypatch.setattr(evaluate_leading, "LearnedWorldModel", lambda *_, **__: Blurred())
    monkeypatch.setattr(evaluate_leading, "SimulatedWorldModel", lambda *_, **__: Still())
    return Args((tmp_path,), tmp_path / "policy", tmp_path / "run", states=8, judgements=1)


def test_too_few_states_are_refused() -> None:
    with pytest.raises(ConfigError, match="8 states, 1 judgement and 1 onward chunk at least; got 2, 3 and 8"):
        compare(Args((Path("bags"),), Path("policy"), Path("run"), states=2))
