"""One chunk from the same states: progress is paired, the best of several stands beside it, lost ground is counted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from synthetic import make_set, untrained_policy
from torch import Tensor

from rise_learning import evaluate_one_step
from rise_learning.errors import ConfigError
from rise_learning.evaluation.one_step import one_step
from rise_learning.policy.checkpoint import save_policy
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.imagination import Imagined, Starts
from rise_robot.core.contract import Contract, config_path

STATES = 6


class WorthItsFirstCommand:
    """Every chunk ends as far ahead as its first command says, plus what the state has for everybody."""

    def __init__(self, sign: float = 1.0) -> None:
        self.sign = sign

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        rise = self.sign * chunks[:, 0, 0] + starts.state[:, 0]
        return Imagined(torch.empty(len(chunks), 0), np.repeat(rise[:, None].numpy(), 5, 1))


class Says:
    """A policy whose chunks say `level`, plus `spread` times its noise."""

    def __init__(self, level: float, spread: float = 0.0) -> None:
        self.level, self.spread = level, spread
        self.config = SimpleNamespace(history=(0,), basis_size=1)

    def eval(self) -> Says:
        return self

    def sample(self, inputs: Any, noise: Tensor, steps: int, guidance: float) -> Tensor:
        return (self.level + self.spread * noise)[:, None].repeat(1, 10, 1)


def rows(**policies: Any) -> list[Any]:
    state = torch.linspace(-1.0, 1.0, STATES)[:, None]
    starts = Starts(torch.zeros(STATES, 4, 1, 2, 2, 3, dtype=torch.uint8), state, ["go"] * STATES)
    truth = WorthItsFirstCommand()
    judges = {"it": truth, "its opposite": WorthItsFirstCommand(-1.0)}
    return one_step(
        policies,
        truth,
        starts,
        np.arange(STATES),
        judges=judges,
        best_of=8,
        top_bin=10,
        seed=0,  # type: ignore[arg-type]
    )


def test_differences_are_paired_so_that_states_do_not_blur_them() -> None:
    before, after, best, *_ = rows(before=Says(0.0), after=Says(0.3))
    assert before.progress[1] > 0.2, "states differ a lot"
    assert after.difference == pytest.approx((0.3, 0.0), abs=1e-6)
    assert best.difference == pytest.approx((0.0, 0.0), abs=1e-6), "the best of eight equal chunks"
    assert (before.lost, after.lost) == (3, 2), "states of -1, -0.6, -0.2: and of -0.7, -0.3"


def test_the_best_of_several_gains_what_samples_differ_by() -> None:
    """Who judges rightly gains what samples differ by; who judges the other way round loses as much."""
    before, best, corrected, worst, _ = rows(before=Says(0.0, spread=0.1))
    assert best.name == "best of 8 by it" and 0.05 < best.difference[0] < 0.3
    assert worst.difference[0] < -0.05
    assert best.pairs["rate"] == 1.0 and worst.pairs["rate"] == 0.0 and 0 < best.pairs["pairs"] < 7 * STATES
    assert before.pairs is None
    assert corrected.name == "needed correction of 8 by it"
    assert 0 < corrected.difference[0] < best.difference[0], "only states in need, and there not the best"


def test_policies_of_other_bins_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = Contract.load(config_path("contract_tiny.yaml"))
    for name, count in (("ten", 10), ("five", 5)):
        save_policy(tmp_path / name, untrained_policy(contract), contract, AdvantageBins(-1.0, 1.0, count), name)
    monkeypatch.setattr(evaluate_one_step, "load_bags", lambda *_: make_set(contract))
    with pytest.raises(ConfigError, match="not asked for the same advantage bin"):
        evaluate_one_step.compare(evaluate_one_step.Args((tmp_path,), (tmp_path / "ten", tmp_path / "five")))
