"""Converted bags: what comes back is what was converted, mapped; half of one is never there, one process converts."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_set

from rise_learning.data import episode_cache
from rise_learning.data.episode_set import EpisodeArrays

EPISODES = make_set()


def write(place: Path, episodes: Iterator[EpisodeArrays] | None = None) -> None:
    episode_cache.write(place, EPISODES.contract, iter(EPISODES.episodes) if episodes is None else episodes)


def test_episodes_come_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "bag")
    contract, found = episode_cache.read(tmp_path / "bag")
    assert contract.digest == EPISODES.contract.digest and len(found) == len(EPISODES.episodes)
    for one, other in zip(found, EPISODES.episodes, strict=True):
        for name in ("frames", *episode_cache.ARRAYS):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert [getattr(one, name) for name in episode_cache.TEXTS] == [
            getattr(other, name) for name in episode_cache.TEXTS
        ]
    assert episode_cache.read_ids(tmp_path / "bag") == {episode.episode_id for episode in EPISODES.episodes}


def test_frames_are_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    write(tmp_path / "bag")
    frames = episode_cache.read(tmp_path / "bag")[1][0].frames
    assert isinstance(frames, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        frames[:] = 0


def test_a_conversion_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def breaks_off() -> Iterator[EpisodeArrays]:
        yield EPISODES.episodes[0]
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "bag", breaks_off())
    assert not list(tmp_path.iterdir())


def convert_once(place: Path, made: Path) -> None:
    with episode_cache.alone(place):
        if not place.exists():
            (made / str(multiprocessing.current_process().pid)).touch()
            write(place)


def test_of_several_processes_one_converts_and_the_others_find_it(tmp_path: Path) -> None:
    """As under torchrun: eight at once would decode every bag eight times, and write it eight times."""
    (tmp_path / "made").mkdir()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=convert_once, args=(tmp_path / "bag", tmp_path / "made")) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list((tmp_path / "made").iterdir())) == 1
    assert len(episode_cache.read(tmp_path / "bag")[1]) == len(EPISODES.episodes)
