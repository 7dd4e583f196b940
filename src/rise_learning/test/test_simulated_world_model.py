"""The simulator as world model: brought back to recorded states, it repeats what was recorded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.errors import DataError
from rise_learning.rl import simulated_world_model
from rise_learning.rl.imagination import Imagined, Starts, Travelled
from rise_learning.rl.imagined_frames import ImaginedFrames
from rise_learning.rl.offline_starts import offline_starts
from rise_learning.rl.simulated_world_model import SimulatedWorldModel, recorded_task
from rise_robot import collect
from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.tasks import TaskSetting

TINY = Contract.load(config_path("contract_tiny.yaml"))
ONE = TaskSetting.of("brick_sorting")


def collected(path: Path, config: collect.CollectConfig) -> EpisodeSet:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISE_CACHE", str(path / "cache"))
        collect.collect(config, TINY, path / "bag", progress=False)
        return load_bags([path / "bag"], (48, 64), workers=1)


@pytest.fixture(scope="module")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> EpisodeSet:
    return collected(tmp_path_factory.mktemp("replay"), collect.CollectConfig(episodes=2, seed=5))


@pytest.fixture(scope="module", params=["backpack_packing", "box_closing"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EpisodeSet:
    config = collect.CollectConfig(task=request.param, episodes=1, seed=5)
    return collected(tmp_path_factory.mktemp(request.param), config)


def starts_at(episodes: EpisodeSet, g: np.ndarray) -> Starts:
    found = offline_starts(episodes, np.random.default_rng(0), len(g))
    state = torch.from_numpy(episodes.state[episodes.step_of[g]])
    context = torch.from_numpy(episodes.context(g, TINY.context_frames))
    return dataclasses.replace(found, context=context, state=state, origin=g)


def frames_gone_by(now: torch.Tensor, frames: torch.Tensor, instructions: list[str]) -> Imagined:
    return Imagined(frames, (frames.float().mean((2, 3, 4, 5)) - now.float().mean((1, 2, 3, 4))[:, None]).numpy())


class Grey:
    """Imagines one shade of grey, and that all is well."""

    SHADE = 77

    def imagine(self, starts: Starts, chunks: torch.Tensor, seed: int) -> Imagined:
        frames = torch.full((len(chunks), TINY.frames_per_chunk, 3, 48, 64, 3), self.SHADE, dtype=torch.uint8)
        return Imagined(frames, np.ones((len(chunks), TINY.frames_per_chunk), np.float32))

    def advance(self, starts: Starts, commands: torch.Tensor, frames: torch.Tensor) -> Travelled:
        states = commands[:, TINY.actions_per_frame - 1 :: TINY.actions_per_frame]
        return Travelled(frames[:, : states.shape[1]], states)


def test_the_recorded_chunk_brings_the_recorded_frames(episodes: EpisodeSet) -> None:
    g = np.array([20, 20, len(episodes) - 40])
    model = SimulatedWorldModel(episodes, ONE, frames_gone_by, workers=1)
    starts, chunks = starts_at(episodes, g), torch.from_numpy(episodes.chunk(g))
    found = model.imagine(starts, chunks, 0)
    recorded = episodes.frames[episodes.future_index(g, TINY.frames_per_chunk)]
    assert np.abs(found.frames.numpy().astype(int) - recorded).mean() < 0.3  # commands are kept as float32
    assert found.rise == pytest.approx(frames_gone_by(starts.context[:, -1], found.frames, []).rise)


def test_the_judge_is_shown_the_last_frames_where_only_those_count(episodes: EpisodeSet) -> None:
    """As it would see them among all: another part of the chunk would be another advantage."""
    g = np.array([20, 20])
    starts, chunks = starts_at(episodes, g), torch.from_numpy(episodes.chunk(g))
    every, last = (
        SimulatedWorldModel(episodes, ONE, frames_gone_by, judged_frames=judged, workers=1).imagine(starts, chunks, 0)
        for judged in (0, 4)
    )
    assert last.frames.shape[1] == 4
    assert np.array_equal(last.frames, every.frames[:, -4:]) and np.array_equal(last.rise, every.rise[:, -4:])


def test_imagined_frames_are_judged_by_where_physics_is(episodes: EpisodeSet) -> None:
    """After commands too: what is seen was imagined, what is judged really follows them."""
    model = ImaginedFrames(Grey(), SimulatedWorldModel(episodes, ONE, workers=1))  # type: ignore[arg-type]
    g = episodes.first_frame + 20
    starts, chunks = starts_at(episodes, g), torch.from_numpy(episodes.chunk(g))
    found = model.imagine(starts, chunks, 0)
    true = SimulatedWorldModel(episodes, ONE, workers=1).imagine(starts, chunks, 0)
    assert np.array_equal(found.rise, true.rise) and np.array_equal(found.value_now, true.value_now)
    assert (found.frames == Grey.SHADE).all()
    commands = chunks[:, :10]
    travelled = model.advance(starts, commands, found.frames)
    assert travelled.frames.shape[1] == 10 // TINY.actions_per_frame and (travelled.frames == Grey.SHADE).all()
    later = dataclasses.replace(starts, played=commands)
    reached = model.imagine(later, torch.from_numpy(episodes.chunk(g + 5)), 0).value_now
    assert reached == pytest.approx(found.value_now + found.rise[:, 10 // TINY.actions_per_frame - 1], abs=1e-3)


def test_progress_tells_going_on_from_standing_still(episodes: EpisodeSet) -> None:
    """From the middle of a demonstration its own chunk gets further than holding the arms where they are."""
    g = np.repeat(episodes.first_frame + 25, 2)
    chunks = episodes.chunk(g)
    chunks[1::2] = episodes.state[episodes.step_of[g[1::2]]][:, None]
    found = SimulatedWorldModel(episodes, ONE, workers=1).imagine(starts_at(episodes, g), torch.from_numpy(chunks), 0)
    assert (found.advantage[::2] > found.advantage[1::2] + 0.02).all()


def test_where_commands_lead_is_gone_on_from(episodes: EpisodeSet) -> None:
    """Ten recorded commands later the simulator is where the recording is, sees it, and judges what follows alike."""
    model = SimulatedWorldModel(episodes, ONE, workers=1)
    g = episodes.first_frame + 20
    later = g + 10 // TINY.actions_per_frame
    starts = starts_at(episodes, g)
    commands = torch.from_numpy(episodes.chunk(g)[:, :10])
    travelled = model.advance(starts, commands, torch.empty(0))
    recorded = episodes.frames[episodes.future_index(g, 10 // TINY.actions_per_frame)]
    assert np.abs(travelled.frames.numpy().astype(int) - recorded).mean() < 0.3
    assert travelled.states[:, -1].numpy() == pytest.approx(episodes.state[episodes.step_of[later]], abs=1e-4)
    chunks = torch.from_numpy(episodes.chunk(later))
    there = model.imagine(dataclasses.replace(starts, played=commands), chunks, 0)
    then = model.imagine(starts_at(episodes, later), chunks, 0)
    assert there.rise == pytest.approx(then.rise, abs=1e-3)
    assert there.value_now == pytest.approx(then.value_now, abs=1e-3)
    before = model.imagine(starts, commands, 0)
    assert there.value_now == pytest.approx(before.value_now + before.rise[:, -1], abs=1e-3)


def test_a_state_that_was_kept_is_the_state_that_is_replayed(episodes: EpisodeSet) -> None:
    """To the bit: a resumed run, which has to replay what the first one kept, imagines the same."""
    starts = starts_at(episodes, episodes.first_frame + 20)
    commands = torch.from_numpy(episodes.chunk(episodes.first_frame + 20)[:, :10])
    later, chunks = dataclasses.replace(starts, played=commands), torch.from_numpy(episodes.chunk(starts.origin + 5))
    kept = SimulatedWorldModel(episodes, ONE, workers=1)
    kept.advance(starts, commands, torch.empty(0))
    found, again = (model.imagine(later, chunks, 0) for model in (kept, SimulatedWorldModel(episodes, ONE, workers=1)))
    assert np.array_equal(found.rise, again.rise) and np.array_equal(found.value_now, again.value_now)


def test_what_is_kept_is_bounded_and_the_oldest_is_forgotten(
    episodes: EpisodeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated_world_model, "KEPT_STATES", 3)
    model = SimulatedWorldModel(episodes, ONE, workers=1)
    for frame in range(5):
        g = episodes.first_frame[:1] + frame
        model.imagine(starts_at(episodes, g), torch.from_numpy(episodes.chunk(g)[:, :2]), 0)
    assert [way[0] for way in model._known] == [2, 3, 4]


def test_one_state_with_other_commands_behind_it_is_another(episodes: EpisodeSet) -> None:
    model = SimulatedWorldModel(episodes, ONE, workers=1)
    g = np.repeat(episodes.first_frame[:1] + 25, 2)
    starts, chunks = starts_at(episodes, g), torch.from_numpy(episodes.chunk(g))
    held = torch.from_numpy(episodes.state[episodes.step_of[g]])[:, None].repeat(1, 20, 1)
    played = torch.stack([chunks[0, :20], held[1]])
    ahead, behind = model.imagine(dataclasses.replace(starts, played=played), chunks, 0).value_now
    assert ahead > behind + 0.01


def test_what_cannot_be_replayed_is_refused(episodes: EpisodeSet) -> None:
    g = np.array([30])
    chunks = torch.from_numpy(episodes.chunk(g))
    two = SimulatedWorldModel(episodes, TaskSetting.of("brick_sorting", bricks=2), workers=1)
    with pytest.raises(DataError, match="cannot be replayed: joints end .* and their --level and --bricks"):
        two.imagine(starts_at(episodes, g), chunks, 0)
    with pytest.raises(DataError, match="cannot go on from imagined frames"):
        two.imagine(dataclasses.replace(starts_at(episodes, g), origin=None), chunks, 0)


def test_other_tasks_are_replayed_to_their_end_and_their_progress_tells_chunks_apart(other: EpisodeSet) -> None:
    """A second before the third milestone counts, what the expert went on to do gets further than standing still."""
    task = recorded_task(other)
    third = other.episodes[0].events[2][0]
    g = np.array([third - 15, third - 15, len(other) - 5])
    chunks = other.chunk(g)
    chunks[1] = other.state[other.step_of[g[1]]]
    found = SimulatedWorldModel(other, TaskSetting.of(task), workers=1)
    rise = found.imagine(starts_at(other, g), torch.from_numpy(chunks), 0).rise
    assert rise[0, -1] > rise[1, -1] + 0.05
    assert rise[2, -1] == pytest.approx(0.0, abs=1e-6), "finished, and it stays so"


def test_an_episode_that_physics_takes_elsewhere_is_refused(other: EpisodeSet) -> None:
    """The rubric tells where the joints alone would not."""
    g = np.array([len(other) - 5])
    moved = [dataclasses.replace(episode, seed=episode.seed + 1) for episode in other.episodes]
    elsewhere = EpisodeSet(TINY, moved)
    model = SimulatedWorldModel(elsewhere, TaskSetting.of(recorded_task(other)), workers=1)
    with pytest.raises(DataError, match="cannot be replayed: (the rubric says|joints end)"):
        model.imagine(starts_at(elsewhere, g), torch.from_numpy(elsewhere.chunk(g)), 0)


def test_the_task_comes_from_the_bags_and_is_one(episodes: EpisodeSet, other: EpisodeSet) -> None:
    assert recorded_task(episodes) == "brick_sorting"
    with pytest.raises(DataError, match="one task at a time, but the bags hold .*'brick_sorting'"):
        recorded_task(EpisodeSet(TINY, [*episodes.episodes, *other.episodes]))
