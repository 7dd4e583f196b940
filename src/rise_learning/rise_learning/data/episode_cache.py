"""Converted bags on disk: a directory each, written whole or not at all, by one process at a time.

BAG_KEY/frames.u8     all frames one after the other, mapped and not read when it is opened
BAG_KEY/arrays.npz    joints and who commanded, `NUMBER.NAME` of each episode
BAG_KEY/meta.json     contract, shape of a frame, and what is text or number of each episode
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rise_learning.data.episode_set import EpisodeArrays
from rise_robot.core.contract import Contract

VERSION = 2
ARRAYS = ("state", "action", "clean_action", "human")
TEXTS = ("episode_id", "task", "instruction", "kind", "outcome", "score", "seed", "events")


def cache_directory() -> Path:
    """$RISE_CACHE, else ~/.cache/rise/episodes."""
    return Path(os.environ.get("RISE_CACHE", Path.home() / ".cache" / "rise" / "episodes"))


def place_of(bag: Path, image_size: tuple[int, int]) -> Path:
    """Where `bag` as it is now lies converted, or would."""
    files = [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(bag.rglob("*")) if file.is_file()
    ]
    key = json.dumps([VERSION, str(bag.resolve()), files, image_size])
    return cache_directory() / f"{bag.name}_{hashlib.sha256(key.encode()).hexdigest()[:16]}"


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Within: no other process that asks for it works on `place`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f".{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write(place: Path, contract: Contract, episodes: Iterator[EpisodeArrays]) -> None:
    """Write the converted episodes of one bag, one in memory at a time; nothing is left of what could not be ended."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    try:
        arrays: dict[str, np.ndarray] = {}
        told: list[dict] = []
        shape: tuple[int, ...] = ()
        with (temporary / "frames.u8").open("wb") as stream:
            for episode in episodes:
                stream.write(np.ascontiguousarray(episode.frames).data)
                shape = episode.frames.shape[1:]
                arrays |= {f"{len(told)}.{name}": getattr(episode, name) for name in ARRAYS}
                told.append({"frames": len(episode.frames), **{name: getattr(episode, name) for name in TEXTS}})
        np.savez(temporary / "arrays.npz", **arrays)  # type: ignore[arg-type]  # numpy's stub: every keyword is allow_pickle
        meta = {"contract": contract.to_yaml(), "shape": shape, "episodes": told}
        (temporary / "meta.json").write_text(json.dumps(meta))
        os.rename(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read(place: Path) -> tuple[Contract, list[EpisodeArrays]]:
    """Contract and episodes; the frames are mapped."""
    meta = json.loads((place / "meta.json").read_text())
    shape, first, episodes = tuple(meta["shape"]), 0, list[EpisodeArrays]()
    with np.load(place / "arrays.npz") as arrays:
        for number, told in enumerate(meta["episodes"]):
            count = told.pop("frames")
            frames = np.memmap(
                place / "frames.u8", np.uint8, mode="r", offset=first * int(np.prod(shape)), shape=(count, *shape)
            )
            told["events"] = tuple((int(frame), name, subject) for frame, name, subject in told["events"])
            episodes.append(
                EpisodeArrays(**told, frames=frames, **{name: arrays[f"{number}.{name}"] for name in ARRAYS})
            )
            first += count
    return Contract.from_yaml(meta["contract"], source=str(place)), episodes


def read_ids(place: Path) -> set[str]:
    """Of the episodes."""
    return {episode["episode_id"] for episode in json.loads((place / "meta.json").read_text())["episodes"]}
