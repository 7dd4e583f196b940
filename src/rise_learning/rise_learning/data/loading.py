"""Bags -> EpisodeSet: decode, resize and resample once, then read from the cache."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from rise_learning.data.episode_set import EpisodeArrays, EpisodeSet
from rise_learning.errors import DataError
from rise_robot.bag.episode import Episode
from rise_robot.bag.reader import find_bags, read_episodes
from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError
from rise_robot.core.images import decode_jpeg, encode_jpeg
from rise_robot.core.resampling import resample_episode

CACHE_VERSION = 1
ARRAYS = ("frames", "state", "action", "clean_action", "human")
TEXTS = ("episode_id", "task", "instruction", "kind", "outcome", "score", "seed", "events")
logger = logging.getLogger(__name__)


def cache_directory() -> Path:
    """$RISE_CACHE, else ~/.cache/rise/episodes."""
    return Path(os.environ.get("RISE_CACHE", Path.home() / ".cache" / "rise" / "episodes"))


def resize_frame(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 -> (h, w, 3) uint8 by area averaging; used for bags and live frames alike."""
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def policy_frames(images: dict[str, np.ndarray], contract: Contract, size: tuple[int, int]) -> np.ndarray:
    """(V, h, w, 3) uint8 as learning sees rendered `images`: through JPEG and the resizing of bags."""
    jpegs = [encode_jpeg(images[name], contract.jpeg_quality) for name in contract.camera_names]
    return np.stack([resize_frame(decode_jpeg(jpeg), size) for jpeg in jpegs])


def to_arrays(episode: Episode, image_size: tuple[int, int]) -> EpisodeArrays:
    """Resample one recorded episode and decode the frames that learning uses."""
    grid, contract = resample_episode(episode), episode.contract
    height, width = image_size
    frames = np.empty((len(grid.frame_steps), len(contract.cameras), height, width, 3), np.uint8)
    for view, camera in enumerate(contract.cameras):
        _, files = episode.images[camera.name]
        for number, index in enumerate(grid.frame_indices[camera.name]):
            frames[number, view] = resize_frame(decode_jpeg(files[index], (camera.height, camera.width)), image_size)
    last = len(frames) - 1
    stride = contract.actions_per_frame
    events = tuple(
        (min(-(-step // stride), last), event.name, event.subject.partition("/")[2]) for step, event in grid.events
    )
    return EpisodeArrays(
        episode.episode_id, episode.task, episode.instruction,
        episode.kind, episode.outcome, episode.score, episode.seed,
        frames, grid.state, grid.action, grid.clean_action, grid.human, events,
    )  # fmt: skip


def load_bags(paths: list[Path], image_size: tuple[int, int], *, workers: int = 2) -> EpisodeSet:
    """Every episode below `paths` (bags, or directories of bags), frames at `image_size` (height, width).

    An episode that cannot be used is left out with a warning that names it and why.

    Raises:
        DataError: nothing usable there.
        ContractMismatchError: bags of different contracts.
    """
    bags = _convert_all(paths, image_size, workers)
    contract, episodes = None, []
    for bag in bags:
        its, found = _read_cache(_cache_file(bag, image_size))
        contract = contract or its
        contract.require_same(its, ours=str(bags[0]), theirs=str(bag))
        episodes += found
    assert contract is not None
    return EpisodeSet(contract, episodes)


def episode_ids(paths: list[Path], image_size: tuple[int, int], *, workers: int = 2) -> set[str]:
    """Of every episode that `load_bags` would give, without their frames in memory. Raises DataError: nothing there."""
    found: set[str] = set()
    for bag in _convert_all(paths, image_size, workers):
        with np.load(_cache_file(bag, image_size)) as stored:
            found |= {episode["episode_id"] for episode in json.loads(str(stored["meta"]))["episodes"]}
    return found


def _convert_all(paths: list[Path], image_size: tuple[int, int], workers: int) -> list[Path]:
    """The bags below `paths`, each in the cache."""
    bags = [bag for path in paths for bag in find_bags(path)]
    if not bags:
        raise DataError(f"no bag below {[str(path) for path in paths]}; record or collect one first")
    missing = [bag for bag in bags if not _cache_file(bag, image_size).exists()]
    if missing:
        with ProcessPoolExecutor(min(workers, len(missing))) as pool:
            list(
                tqdm(
                    pool.map(_convert, missing, [image_size] * len(missing)),
                    total=len(missing),
                    desc="reading bags",
                    unit="bag",
                )
            )
    return bags


def _cache_file(bag: Path, image_size: tuple[int, int]) -> Path:
    files = [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(bag.rglob("*")) if file.is_file()
    ]
    key = json.dumps([CACHE_VERSION, str(bag.resolve()), files, image_size])
    return cache_directory() / f"{bag.name}_{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _convert(bag: Path, image_size: tuple[int, int]) -> None:
    """Write the cache file of one bag, whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    texts: list[dict] = []
    contract = None
    for episode in read_episodes(bag, on_error="skip"):
        contract = episode.contract
        try:
            converted = to_arrays(episode, image_size)
        except BagError as error:
            logger.warning("left out: %s", error)
            continue
        arrays |= {f"{len(texts)}.{name}": getattr(converted, name) for name in ARRAYS}
        texts.append({name: getattr(converted, name) for name in TEXTS})
    if contract is None:
        raise DataError(f"{bag} holds no episode; check it with python -m rise_robot.bag.check {bag}")
    target = _cache_file(bag, image_size)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        arrays["meta"] = np.array(json.dumps({"contract": contract.to_yaml(), "episodes": texts}))
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub takes every keyword for allow_pickle
    os.replace(temporary, target)


def _read_cache(path: Path) -> tuple[Contract, list[EpisodeArrays]]:
    with np.load(path) as stored:
        meta = json.loads(str(stored["meta"]))
        episodes = []
        for number, texts in enumerate(meta["episodes"]):
            texts["events"] = tuple((int(frame), name, subject) for frame, name, subject in texts["events"])
            episodes.append(EpisodeArrays(**texts, **{name: stored[f"{number}.{name}"] for name in ARRAYS}))
    return Contract.from_yaml(meta["contract"], source=str(path)), episodes
