"""Trust as a gate: what is not trusted is counted and not trained on; what foresees errors is told from the rest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_label_path import JudgeAlike, make_loop

from rise_learning.errors import ConfigError
from rise_learning.evaluation.trust import trust_report
from rise_learning.rl.imagination import Imagined


class Doubtful(JudgeAlike):
    """Trusts every other chunk of the first depth, and all of the second."""

    def __init__(self) -> None:
        self.calls = 0

    def imagine(self, starts, chunks, seed):
        self.calls += 1
        trust = np.where(np.arange(len(chunks)) % 2, 0.2, 0.9) if self.calls % 2 else np.ones(len(chunks))
        rise = np.full((len(chunks), 5), 0.1)
        return Imagined(starts.context[:, -1:].repeat(1, 5, 1, 1, 1, 1), rise, trust)


def _loop(minimum_trust: float):
    loop, _ = make_loop()
    loop.world_model = Doubtful()
    loop.settings = dataclasses.replace(loop.settings, minimum_trust=minimum_trust)
    return loop


def test_what_is_not_trusted_is_counted_and_not_trained_on() -> None:
    loop = _loop(0.5)
    loop.before_step(0)
    assert len(loop.buffer) == 6 and loop.statistics.distrusted == 6, "a second chunk is trusted no more than its first"
    assert loop.statistics.imagined == 12
    off = _loop(0.0)
    off.before_step(0)
    assert len(off.buffer) == 12 and off.statistics.distrusted == 0


def test_a_gate_that_lets_nothing_through_is_an_error_that_says_the_range() -> None:
    with pytest.raises(ConfigError, match=r"minimum_trust 0.95 leaves none of the 12 .* 0.200 to 0.900"):
        _loop(0.95).before_step(0)


def test_counters_of_runs_without_a_gate_are_still_read() -> None:
    loop = _loop(0.5)
    loop.before_step(0)
    again = _loop(0.5)
    again.restore(loop.state())
    assert again.statistics == loop.statistics


def test_a_measure_that_foresees_the_error_is_told_from_one_that_does_not() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(40, 7))
    true[:, 0] += 3.0
    size = rng.permutation(np.repeat([0.1, 4.0], 140)).reshape(true.shape)
    imagined = true + size * rng.normal(size=true.shape)
    differs = np.ones((40, 6), bool)
    report = trust_report(imagined, true, differs, {"knows": size, "guesses": rng.random(true.shape)})
    knows, guesses = report["by_doubt"]["knows"], report["by_doubt"]["guesses"]
    assert knows["auc_large_error"] > 0.75 and abs(guesses["auc_large_error"] - 0.5) < 0.1
    assert knows["kept"]["advantage_error"] < 0.2 < 2.0 < knows["dropped"]["advantage_error"]
    assert knows["kept"]["advantage_auc"] > 0.95 > knows["dropped"]["advantage_auc"]
    assert knows["spearman"] > 0.5 > abs(guesses["spearman"])


def test_a_lowest_bin_that_no_chunk_falls_into_is_named_and_not_trust() -> None:
    loop = _loop(0.0)
    loop.settings = dataclasses.replace(loop.settings, minimum_bin=loop.bins.top + 1)
    with pytest.raises(ConfigError, match=r"none of 12 imagined chunks falls into bin 11 or above, the highest is \d"):
        loop.before_step(0)
