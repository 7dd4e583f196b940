"""Candidates that were passed over: which are kept, and with which bins."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from line_world import Line
from test_imagined_episodes import Perfect, Worthless, loop_of, played
from torch import Tensor

from rise_learning.errors import ConfigError
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.imagination import Imagined, OnlineSamples, Starts
from rise_learning.rl.passed_over import bins_within_state, passed_over

JUDGED = np.array([[0.0, 0.5, 0.95, 1.0], [0.0, 0.1, 0.05, 0.19], [-3.0, 0.2, 0.1, 0.2]])
"""Of three states four candidates; the second state's hardly differ."""


def found(count: int, among: np.ndarray = np.ones(3, bool)) -> OnlineSamples:  # noqa: B008
    context = torch.arange(3 * 4).reshape(3, 4, 1, 1, 1, 1).to(torch.uint8)
    here = Starts(context, torch.arange(3.0)[:, None], ["a", "b", "c"])
    chunks = torch.arange(12.0).reshape(3, 4, 1, 1)
    trust = np.linspace(0.1, 1.0, 12).reshape(3, 4)
    return passed_over(
        here, chunks, JUDGED, trust, count=count, tolerance=0.1, among=among, history=(-3, 0), depth=5,
        rng=np.random.default_rng(0),
    )  # fmt: skip


def test_what_is_clearly_worse_than_the_best_of_its_state_is_kept_as_it_was_seen_and_judged() -> None:
    samples = found(count=4)
    order = np.argsort(samples.chunks[:, 0, 0].numpy())
    assert samples.chunks[order, 0, 0].tolist() == [0, 1, 8], "not what is within .1, nor of the state without spread"
    assert samples.advantage[order] == pytest.approx([0.0, 0.5, 0.0])
    assert samples.state[order, 0].tolist() == [0, 0, 2]
    assert [samples.instructions[row] for row in order] == ["a", "a", "c"]
    assert samples.images[order].flatten(1).tolist() == [[0, 3], [0, 3], [8, 11]]
    assert samples.trust[order] == pytest.approx(np.linspace(0.1, 1.0, 12)[[0, 1, 8]])
    assert set(samples.depth) == {5}


def test_no_more_are_kept_of_a_state_than_are_asked_for() -> None:
    assert np.bincount(found(count=1).group).tolist() == [1, 0, 1]
    assert not len(found(count=0).group)
    assert set(found(count=4, among=np.array([False, True, True])).group) == {2}, "where the episode is over"


def test_the_worst_of_a_state_has_the_lowest_bin_and_none_the_top_one() -> None:
    samples = found(count=4)
    assert sorted(bins_within_state(samples, AdvantageBins(-9.0, 9.0))) == [1, 1, 6]
    nearly = OnlineSamples.joined([samples, samples])
    nearly.advantage[:] = 0.97
    assert set(bins_within_state(nearly, AdvantageBins(-9.0, 9.0))) == {9}
    assert set(bins_within_state(nearly, AdvantageBins(-9.0, 9.0, experts_apart=True))) == {8}


def test_episodes_keep_of_every_led_choice_what_climbs_too_slowly() -> None:
    episodes = played(0.0, passed_over=4, led_chunks=2)
    assert sorted(episodes.passed_over.depth) == [0] * 3 + [1] * 3, "all but the fastest of four"
    assert not len(played(0.0, led_chunks=2).passed_over.group)
    assert played(-5.0, passed_over=1).passed_over.depth.size, "of episodes that end badly as well"


class Choosy(Perfect):
    """Every third candidate is worth nothing."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        imagined = super().imagine(starts, chunks, seed)
        imagined.rise[np.arange(len(chunks)) % 3 == 2] = 0.0
        return imagined


def test_the_loop_learns_the_lower_bins_from_what_was_passed_over() -> None:
    without, loop = loop_of(Choosy()), loop_of(Choosy(), passed_over=1)
    for each in (without, loop):
        each.before_step(0)
    bins = loop.buffer.batch(np.random.default_rng(0), 256)[0].bins
    assert set(bins.tolist()) == {1, 10}
    assert loop.statistics.passed_over == len(loop.buffer) - len(without.buffer) == 20 * 2, "one of each choice"
    at_recorded = loop_of(Choosy(), passed_over=1, online_states=False)
    at_recorded.before_step(0)
    assert len(at_recorded.buffer) == 20 + 20


class Hopeless(Worthless):
    """Chunks differ, and no episode ends well."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        imagined = super().imagine(starts, chunks, seed)
        imagined.rise[::2] = -1.0
        return imagined


def test_lower_bins_alone_are_nothing_to_improve_by() -> None:
    with pytest.raises(ConfigError, match="none of 20 imagined episodes"):
        loop_of(Hopeless(), passed_over=1).before_step(0)


class Doubted(Choosy):
    """The first chunk of an episode is hardly trusted, those behind it are."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        trust = np.full(len(chunks), 0.1 if starts.played is None else 0.9)
        return dataclasses.replace(super().imagine(starts, chunks, seed), trust=trust)


def test_what_follows_a_chunk_is_trusted_no_more_than_that() -> None:
    episodes = played(0.0, passed_over=4, world_model=DoubtedLine())
    assert set(episodes.passed_over.trust) == {0.1} and set(episodes.samples.trust) == {0.1}
    with pytest.raises(ConfigError, match="none of 20 imagined episodes"):
        loop_of(Doubted(), passed_over=1, minimum_trust=0.5).before_step(0)


class DoubtedLine(Line):
    """Likewise."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        trust = np.full(len(chunks), 0.1 if starts.played is None else 0.9)
        return dataclasses.replace(super().imagine(starts, chunks, seed), trust=trust)
