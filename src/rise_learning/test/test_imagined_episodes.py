"""Imagined episodes: what is played on corrects the policy where it must, and what ends well is learned from."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from line_world import CHUNK, STRIDE, Line, holding
from synthetic import make_set, small_policy_config
from torch import Tensor

from rise_learning.errors import ConfigError
from rise_learning.rl import self_improvement
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.imagination import Imagined, OnlineSamples, Starts, Travelled, recorded_starts
from rise_learning.rl.imagined_episodes import (
    Guidance,
    ImaginedEpisodes,
    imagined_episodes,
    judged_again,
    needed_correction,
)
from rise_learning.rl.self_improvement import SelfImprovementLoop
from rise_learning.training.loop import LoopConfig
from rise_learning.training.policy_training import OfflineSamples, new_policy
from rise_learning.training_settings import SelfImprovement
from rise_robot.core.ensembler import ChunkEnsembler


def climbing(chunks: Tensor, state: Tensor, rng: np.random.Generator) -> Tensor:
    """Varied candidates climb by 0.02, 0.04, 0.05 a step, in turn."""
    pace = torch.from_numpy(np.resize(np.float32([0.02, 0.04, 0.05]), len(chunks)))
    return chunks + (torch.arange(1, CHUNK + 1) * pace[:, None])[..., None]


def eager(inputs: Any, noise: Tensor | None, steps: int, guidance: float) -> Tensor:
    """Chunks that leave at another pace from every state."""
    return inputs.state[:, None] + torch.arange(1, CHUNK + 1)[:, None] * (0.01 + 0.1 * inputs.state[:, None].sin())


def played(*positions: float, policy: Any = None, world_model: Any = None, **changes: Any) -> ImaginedEpisodes:
    state = torch.tensor(positions)[:, None]
    context = (100 * state).clamp(min=0)[:, None, :, None, None, None].round().to(torch.uint8).repeat(1, 4, 1, 1, 1, 1)
    policy = SimpleNamespace(config=SimpleNamespace(history=(-1, 0), basis_size=2), sample=policy or holding)
    guidance = Guidance(
        **{"chunks": 7, "replan_steps": 4, "candidates": 4, "judged_frames": 1, "tolerance": 0.05, **changes}
    )
    return imagined_episodes(
        policy, world_model or Line(), Starts(context, state, ["go"] * len(positions)), guidance,
        explore=climbing, top_bin=10, flow_steps=1, rng=np.random.default_rng(0),  # type: ignore[arg-type]
    )  # fmt: skip


def test_the_own_chunk_is_played_unless_another_does_better_and_then_the_typical_one_of_those_that_do() -> None:
    chunks = np.array([0.0, 0.5, 0.9, 0.6, 0.2])[None, :, None, None].repeat(3, 0)
    judged = np.array([[0.0, 0.95, 1.0, 0.92, 0.8], [0.91, 1.0, 0.5, 0.9, 0.8], [0.0, 0.0, 0.5, 0.0, 0.0]])
    assert needed_correction(judged, chunks, tolerance=0.1).tolist() == [3, 0, 2]
    assert needed_correction(judged, chunks, tolerance=0.05).tolist() == [1, 1, 2]


def test_the_commands_that_were_played_become_chunks_frame_by_frame() -> None:
    samples = played(0.0).samples
    assert samples.chunks[0, :4, 0].tolist() == pytest.approx([0.05, 0.10, 0.15, 0.20]), "0.04 does worse"
    for now, after in zip(range(len(samples.chunks) - 1), range(1, len(samples.chunks)), strict=True):
        torch.testing.assert_close(samples.chunks[now, STRIDE:], samples.chunks[after, :-STRIDE])
    torch.testing.assert_close(samples.state[1:], samples.chunks[:-1, STRIDE - 1])
    seen = samples.images.flatten(2).float().mean(2) / 100
    assert seen[:, 1].tolist() == pytest.approx(samples.state[:, 0].tolist(), abs=0.006), "the picture is that of now"
    assert seen[1:, 0].tolist() == pytest.approx(seen[:-1, 1].tolist()), "and the one before"


@pytest.mark.parametrize("blend_steps", [0, 2])
def test_chunks_are_blended_as_at_deployment(blend_steps: int) -> None:
    ensembler, commands = ChunkEnsembler(1, blend_steps), []
    samples = played(0.0, policy=eager, tolerance=9.0, minimum_value=0.3, blend_steps=blend_steps).samples
    for step in range(16):
        if step % 4 == 0:
            position = torch.tensor([[commands[-1] if commands else 0.0]])
            ensembler.add(step, eager(SimpleNamespace(state=position), None, 1, 1.0)[0].numpy(), step)
        action = ensembler.action(step)
        assert action is not None
        commands.append(float(action[0]))
    assert samples.chunks[0, :, 0].tolist() == pytest.approx(commands[:CHUNK], abs=1e-6)
    assert samples.chunks[3, :, 0].tolist() == pytest.approx(commands[6:16], abs=1e-6)


def test_only_what_ends_well_is_learned_from_and_only_until_it_has() -> None:
    found = played(0.0, -5.0)
    assert found.ended_well.tolist() == [True, False] and set(found.samples.group) == {0}
    starts = found.samples.state[:: 4 // STRIDE, 0]
    assert (starts < 0.95).all() and len(starts) < 7, "chunks from where it had ended are left out"
    assert not len(played(-5.0).samples.group)


@pytest.mark.parametrize(("minimum_rise", "ended_well"), [(0.0, 0), (0.4, 1), (0.6, 0)])
def test_an_episode_too_short_to_get_to_the_end_counts_where_value_rises_enough(
    minimum_rise: float, ended_well: int
) -> None:
    found = played(0.0, chunks=1, minimum_rise=minimum_rise)  # ten steps of 0.05
    assert found.ended_well.sum() == ended_well and bool(len(found.samples.group)) == bool(ended_well)


def test_behind_the_led_chunks_the_policy_goes_on_alone_and_one_chunk_a_choice_is_imagined() -> None:
    asked = []

    class Counting(Line):
        def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
            asked.append(len(chunks))
            return super().imagine(starts, chunks, seed)

    found = played(0.0, world_model=Counting(), led_chunks=2, minimum_rise=0.3)
    assert asked == [4, 4, 1, 1, 1, 1, 1]
    assert Guidance(chunks=7, candidates=4, led_chunks=2).imagined_chunks == sum(asked)
    assert found.samples.state[-1] < played(0.0).samples.state[-1], "it no longer climbs"
    assert set(found.samples.depth) == set(range(7)), "what it does alone is learned from as well"


def test_an_advantage_is_that_of_the_chunk_it_came_from() -> None:
    samples = played(0.0).samples
    assert samples.depth[:4].tolist() == [0, 0, 1, 1]
    assert samples.advantage[:2] == pytest.approx(0.5), "ten steps of 0.05"


class Worthless(Line):
    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        frames = torch.zeros(len(chunks), 5, *starts.context.shape[2:], dtype=torch.uint8)
        return Imagined(frames, np.zeros((len(chunks), 5)), value_now=np.zeros(len(chunks), np.float32))

    def advance(self, starts: Starts, commands: Tensor, frames: Tensor) -> Travelled:
        return Travelled(frames[:, : commands.shape[1] // STRIDE], commands[:, STRIDE - 1 :: STRIDE])


class Perfect(Worthless):
    """Everything ends well after the first chunk."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        found = super().imagine(starts, chunks, seed)
        return Imagined(found.frames, found.rise + 1.0, value_now=found.value_now)


class Demanding(Perfect):
    """Where candidates are imagined everything ends well; what is played alone only from even frames."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        found = super().imagine(starts, chunks, seed)
        assert starts.origin is not None
        candidates = (np.diff(starts.origin) == 0).any()
        return dataclasses.replace(found, rise=found.rise * (candidates | (starts.origin % 2 == 0))[:, None])


def loop_of(world_model: Any, **changes: Any) -> SelfImprovementLoop:
    episodes = make_set()
    samples = OfflineSamples.all_frames(episodes, np.full(len(episodes), 10))
    policy = new_policy(small_policy_config(episodes.contract), samples, 0)
    settings = SelfImprovement(
        loop=LoopConfig(batch_size=8),
        starts_per_rollout=20,
        candidates=3,
        guided_chunks=2,
        replan_steps=4,
        start_frames=2,
        **changes,
    )
    return SelfImprovementLoop(policy, world_model, samples, AdvantageBins(-1.0, 1.0), settings, seed=0)


def test_the_loop_learns_from_imagined_episodes_with_the_top_bin_and_counts_them() -> None:
    loop = loop_of(Perfect())
    loop.before_step(0)
    assert loop.statistics.episodes == loop.statistics.episodes_ended_well == 20
    assert loop.statistics.imagined == 20 * 2 * 3
    inputs, chunks = loop.buffer.batch(np.random.default_rng(0), 8)
    assert inputs.bins.tolist() == [10] * 8 and chunks.shape[1:] == (10, 14)
    assert torch.isfinite(loop.loss(0)["loss"])


def test_a_rehearsed_loop_leads_what_fails_alone_and_learns_from_as_many_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = np.arange(20) * 2 + (np.arange(20) < 12)  # twelve odd ones
    monkeypatch.setattr(self_improvement, "offline_starts", lambda episodes, *_: recorded_starts(episodes, frames))
    loop = loop_of(Demanding(), rehearse=True)
    loop.before_step(0)
    assert (loop.statistics.episodes, loop.statistics.episodes_alone) == (20, 8)
    assert loop.statistics.episodes_ended_well == 20
    assert loop.statistics.imagined == 20 * 2 + 12 * 2 * 3
    learned = 12 + 4 + 1  # of 16 and of 4 together: 12 led, 4 alone; none led, 4 alone
    assert len(loop.buffer) == learned * 3, "frames that a whole chunk follows"


class Stubborn(Demanding):
    """What is led from frames divisible by three fails until it is tried the third time."""

    tried = 0

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        found = super().imagine(starts, chunks, seed)
        assert starts.origin is not None
        self.tried += (np.diff(starts.origin) == 0).any()
        hard = (starts.origin % 3 == 0) & (starts.origin % 2 == 1) & (self.tried <= 2 * 2)  # of two chunks each
        return dataclasses.replace(found, rise=found.rise * ~hard[:, None])


@pytest.mark.parametrize(("attempts", "corrected", "led"), [(1, 4, 6), (2, 4, 6 + 2), (3, 6, 6 + 2 + 2), (9, 6, 10)])
def test_what_does_not_end_well_is_led_again(
    attempts: int, corrected: int, led: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = np.array([0, 2, 4, 1, 5, 7, 11, 3, 9])  # six odd ones, of which two are stubborn
    monkeypatch.setattr(self_improvement, "offline_starts", lambda episodes, *_: recorded_starts(episodes, frames))
    loop = loop_of(Stubborn(), rehearse=True, attempts=attempts)
    loop.before_step(0)
    assert loop.statistics.episodes_corrected == corrected
    assert loop.statistics.imagined == 9 * 2 + led * 2 * 3
    assert len(loop.buffer) == (corrected + 3) * 3, "each once, and all that the policy does alone"


def test_without_rehearsal_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.array([0, 2, 4, 1, 5, 7, 11, 3, 9])
    monkeypatch.setattr(self_improvement, "offline_starts", lambda episodes, *_: recorded_starts(episodes, frames))
    loop = loop_of(Stubborn(), attempts=2)
    loop.before_step(0)
    assert loop.statistics.episodes_ended_well == 7 and len(loop.buffer) == 7 * 3
    assert loop.statistics.imagined == (9 + 2) * 2 * 3


@pytest.mark.parametrize("changes", [{"attempts": 0}, {"minimum_gain": 0.1}])
def test_attempts_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="attempt"):
        loop_of(Perfect(), **{"rehearse": True, "attempts": 2, **changes}).before_step(0)


class Improvable(Perfect):
    """Where candidates are imagined all rises to 1; alone to a half from odd frames, nearly as far from even ones."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        found = super().imagine(starts, chunks, seed)
        assert starts.origin is not None
        alone = np.where(starts.origin % 2, 0.5, 0.95)[:, None]
        return dataclasses.replace(found, rise=found.rise * (1.0 if (np.diff(starts.origin) == 0).any() else alone))


def test_with_a_minimum_gain_what_is_led_counts_where_it_ends_better_than_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = np.arange(10) * 2 + (np.arange(10) < 3)  # three odd ones
    monkeypatch.setattr(self_improvement, "offline_starts", lambda episodes, *_: recorded_starts(episodes, frames))
    loop = loop_of(Improvable(), rehearse=True, minimum_rise=0.4, minimum_gain=0.1)
    loop.before_step(0)
    counted = loop.statistics
    assert (counted.episodes_alone, counted.episodes_corrected, counted.episodes_ended_well) == (10, 3, 10)
    assert counted.imagined == 10 * 2 + 10 * 2 * 3, "all are played twice"
    assert len(loop.buffer) == (3 + 3) * 3, "as many of the others"
    with pytest.raises(ConfigError, match="minimum_gain .* rehearse"):
        loop_of(Improvable(), minimum_gain=0.1).before_step(0)


def test_what_only_seemed_better_while_it_was_chosen_is_no_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        self_improvement, "offline_starts", lambda episodes, *_: recorded_starts(episodes, np.arange(10))
    )
    loop = loop_of(Improvable(), rehearse=True, minimum_rise=0.4, minimum_gain=0.1, judgements=2)
    loop.before_step(0)
    assert loop.statistics.episodes_corrected == 0, "imagined anew the led ones do as those played alone"
    assert loop.statistics.imagined == 10 * 2 + 10 * 2 * 3 + 2 * 2 * 10 * 2


class Noisy(Line):
    """Sees one hundredth more for every unit of the seed."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        found = super().imagine(starts, chunks, seed)
        return dataclasses.replace(found, rise=found.rise + seed / 100)


def test_commands_are_judged_again_over_all_their_chunks_and_seeds() -> None:
    steps = torch.arange(1, CHUNK + 4 + 1) * torch.tensor([0.01, 0.02])[:, None]  # two chunks, the second after 4 steps
    starts = Starts(torch.zeros(2, 4, 1, 1, 1, 1, dtype=torch.uint8), torch.zeros(2, 1), ["go"] * 2)
    guidance = Guidance(chunks=2, replan_steps=4, candidates=3, judged_frames=1)
    judged = judged_again(Noisy(), starts, steps[..., None], guidance, seeds=[0, 10])
    assert judged == pytest.approx([0.14 + 0.06, 0.28 + 0.06]), "the last chunk, by the mean of seeds 1 and 11"


def test_without_online_states_only_chunks_from_recorded_states_are_learned_from() -> None:
    loop = loop_of(Perfect(), online_states=False)
    loop.before_step(0)
    assert len(loop.buffer) == 20
    samples = played(0.0, 0.1).samples
    assert samples.first_of_groups().state[:, 0].tolist() == pytest.approx([0.0, 0.1])
    begun_late = samples.select(np.flatnonzero((samples.group == 0) | (samples.depth > 0)))
    assert begun_late.first_of_groups().state[:, 0].tolist() == pytest.approx([0.0]), "no imagined state in its place"


def test_a_loop_whose_episodes_all_end_badly_says_so() -> None:
    with pytest.raises(ConfigError, match=r"none of 20 imagined episodes .* 0\.95 within 2 chunks of 4 steps"):
        loop_of(Worthless()).before_step(0)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one variant.* got candidates 1"):
        Guidance(chunks=2, candidates=1)
    loop = loop_of(Perfect())
    loop.settings = dataclasses.replace(loop.settings, replan_steps=3)
    with pytest.raises(ConfigError, match="replan_steps 3 is no multiple of 2"):
        loop.before_step(0)


def test_samples_of_no_episode_are_no_samples() -> None:
    samples: OnlineSamples = played(-5.0).samples
    loop = loop_of(Perfect())
    loop.buffer.add(samples.select(np.zeros(0, int)), np.zeros(0, int))
    assert len(loop.buffer) == 0
