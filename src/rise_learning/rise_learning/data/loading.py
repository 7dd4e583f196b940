"""Bags -> EpisodeSet: decode, resize and resample once, then read from the cache."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from rise_learning.data import episode_cache
from rise_learning.data.episode_set import EpisodeArrays, EpisodeSet
from rise_learning.errors import DataError
from rise_learning.worker_pool import shared_map
from rise_robot.bag.episode import Episode
from rise_robot.bag.reader import find_bags, read_episodes
from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError
from rise_robot.core.images import decode_jpeg, encode_jpeg, resize_frame
from rise_robot.core.resampling import resample_episode

logger = logging.getLogger(__name__)


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

    An episode that cannot be used is left out with a warning that names it and why. Frames stay on disk until they are
    used, and processes share what is read.

    A bag that is reached twice counts once.

    Raises:
        DataError: nothing usable there, or an episode lies in two bags.
        ContractMismatchError: bags of different contracts.
    """
    bags = _convert_all(paths, image_size, workers)
    contract, episodes = None, []
    bag_of: dict[str, Path] = {}
    for bag in bags:
        its, found = episode_cache.read(episode_cache.place_of(bag, image_size))
        contract = contract or its
        contract.require_same(its, ours=str(bags[0]), theirs=str(bag))
        for episode in found:
            other = bag_of.setdefault(episode.episode_id, bag)
            if other is not bag:
                raise DataError(
                    f"episode {episode.episode_id} lies in {other} and in {bag}: leave out the copy; episodes of one "
                    "policy on the same scenes are told apart by another --seed of evaluate --record"
                )
        episodes += found
    assert contract is not None
    return EpisodeSet(contract, episodes)


def require_apart(paths: list[Path], held_out: EpisodeSet, image_size: tuple[int, int]) -> None:
    """Raises DataError where an episode of `held_out` lies in training bags, be it under another path."""
    bags = _convert_all(paths, image_size, workers=2) if paths else []
    used = set().union(*(episode_cache.read_ids(episode_cache.place_of(bag, image_size)) for bag in bags))
    both = sorted(used & {episode.episode_id for episode in held_out.episodes})
    if both:
        raise DataError(f"{', '.join(both)} also lie in the bags of the training; give episodes that it has not read")


def _convert_all(paths: list[Path], image_size: tuple[int, int], workers: int) -> list[Path]:
    """The bags below `paths`, each in the cache."""
    bags = list({bag.resolve(): bag for path in paths for bag in find_bags(path)}.values())
    if not bags:
        raise DataError(f"no bag below {[str(path) for path in paths]}; record or collect one first")
    missing = [bag for bag in bags if not episode_cache.place_of(bag, image_size).exists()]
    if missing:
        convert = partial(_convert, image_size=image_size)
        list(shared_map(convert, missing, workers=min(workers, len(missing)), desc="reading bags", unit="bag"))
    return bags


def _convert(bag: Path, image_size: tuple[int, int]) -> None:
    """Put one bag into the cache, unless another process, as one of torchrun's, is just doing that."""
    place = episode_cache.place_of(bag, image_size)
    with episode_cache.alone(place):
        if place.exists():
            return
        recorded = read_episodes(bag, on_error="skip")
        first = next(recorded, None)
        if first is None:
            raise DataError(f"{bag} holds no episode; check it with python -m rise_robot.bag.check {bag}")
        episode_cache.write(place, first.contract, _usable(chain([first], recorded), image_size))


def _usable(recorded: Iterator[Episode], image_size: tuple[int, int]) -> Iterator[EpisodeArrays]:
    for episode in recorded:
        try:
            yield to_arrays(episode, image_size)
        except BagError as error:
            logger.warning("left out: %s", error)
