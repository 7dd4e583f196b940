"""What leading gains: truly, as it seemed while it was chosen, and imagined anew."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from line_world import Line, holding
from torch import Tensor

from rise_learning.errors import ConfigError
from rise_learning.evaluate_leading import Args, compare
from rise_learning.evaluation.led_episodes import Ends, gains, led_and_alone
from rise_learning.rl.imagination import AS_PROPOSED, Imagined, Starts
from rise_learning.rl.imagined_episodes import Guidance

STATES = 80


class Blurred(Line):
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


def test_what_was_picked_among_equals_seems_better_until_it_is_imagined_anew() -> None:
    """All candidates are the same chunk, so leading gains nothing; who picks the best imagined one thinks it does."""
    state = torch.linspace(0.0, 0.5, STATES)[:, None]
    starts = Starts(torch.zeros(STATES, 4, 1, 1, 1, 1, dtype=torch.uint8), state, ["go"] * STATES)
    led, alone = led_and_alone(
        Policy(), Blurred(), Line(), starts, Guidance(2, 4, 12, 1, tolerance=0.0),  # type: ignore[arg-type]
        explore=AS_PROPOSED, top_bin=10, flow_steps=1, judgements=2, seed=0,
    )  # fmt: skip
    assert led.true == pytest.approx(state[:, 0].numpy()) and alone.true == pytest.approx(led.true)
    chosen, anew = gains(led, alone)
    assert chosen.imagined[0] > 0.2, "the best of twelve errors"
    assert anew.imagined == pytest.approx((0.0, 0.0), abs=1e-6), "both ways in the same noise"
    assert chosen.true == anew.true == pytest.approx((0.0, 0.0), abs=1e-6)


def test_the_best_quarter_is_that_of_the_judge_and_its_gain_is_the_true_one() -> None:
    nothing, true = np.zeros(8), np.array([0.4, -0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.6])
    led = Ends(chosen=np.array([9.0, 8.0, 1, 1, 1, 1, 1, 0]), anew=true + 1, true=true)
    chosen, anew = gains(led, Ends(nothing, nothing, nothing))
    assert (chosen.best[0], chosen.better, chosen.worse) == (pytest.approx(0.1), 1, 1)
    assert (anew.best[0], anew.better, anew.worse) == (pytest.approx(0.5), 2, 0)
    assert anew.correlation == pytest.approx(1.0) and chosen.correlation < 0.5
    assert anew.imagined[0] == pytest.approx(1.1) and anew.true[0] == pytest.approx(0.1)


def test_too_few_states_are_refused() -> None:
    with pytest.raises(ConfigError, match="8 states and 1 judgement at least; got 2 and 3"):
        compare(Args((Path("bags"),), Path("policy"), Path("run"), states=2))
