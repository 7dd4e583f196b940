"""Samples into training: from the cached EpisodeSet, and with the frames decoded anew for every sample."""

from __future__ import annotations

import numpy as np

from rise_learning.benchmarks.measure import Measurement, race
from rise_learning.benchmarks.workload import Workload
from rise_learning.data.loading import load_bags
from rise_learning.training.policy_training import OfflineSamples
from rise_robot.bag.episode import Episode
from rise_robot.bag.reader import BagReader
from rise_robot.core.images import decode_jpeg, resize_frame
from rise_robot.core.resampling import ResampledEpisode, resample_episode

BATCH = 64
BAG_BATCH = 4
"""Samples of a round that come from the bag itself: each takes as long as hundreds of the others."""
SLACK_NS = 100_000_000


class DecodedSamples:
    """Policy samples of recorded episodes without a cache: frames are decoded when a sample asks for them.

    Args:
        workload: whose bag is read.
        from_bag: read the messages of the frames from the bag as well, instead of keeping all JPEG files in memory.
    """

    def __init__(self, workload: Workload, *, from_bag: bool) -> None:
        self._contract, self._size = workload.contract, workload.preset.image_size
        self._episodes: list[Episode] = workload.recorded
        self._grids: list[ResampledEpisode] = [resample_episode(episode) for episode in self._episodes]
        self._bag = BagReader(workload.bag) if from_bag else None

    def close(self) -> None:
        if self._bag is not None:
            self._bag.close()

    def batch(self, rng: np.random.Generator, size: int, history: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """(size, history, V, h, w, 3) uint8 frames and (size, K, A) commands of random samples."""
        chosen = rng.integers(len(self._episodes), size=size)
        frames = [int(rng.integers(len(self._grids[number].frame_steps))) for number in chosen]
        pairs = list(zip(chosen.tolist(), frames, strict=True))
        images = np.stack([self.images(number, frame, history) for number, frame in pairs])
        return images, np.stack([self._chunk(number, frame) for number, frame in pairs])

    def images(self, number: int, frame: int, history: tuple[int, ...]) -> np.ndarray:
        """(history, V, h, w, 3) uint8 of one sample."""
        wanted = [max(0, frame + offset) for offset in history]
        files = self._files_in_bag(number, wanted) if self._bag else self._files_in_memory(number, wanted)
        return np.stack([np.stack([resize_frame(decode_jpeg(file), self._size) for file in row]) for row in files])

    def _chunk(self, number: int, frame: int) -> np.ndarray:
        """(K, A) commands; the last one is held."""
        grid = self._grids[number]
        steps = grid.frame_steps[frame] + np.arange(self._contract.chunk_size)
        return grid.clean_action[np.minimum(steps, len(grid) - 1)]

    def _files_in_memory(self, number: int, wanted: list[int]) -> list[list[bytes]]:
        episode, grid = self._episodes[number], self._grids[number]
        names = self._contract.camera_names
        return [[episode.images[name][1][grid.frame_indices[name][frame]] for name in names] for frame in wanted]

    def _files_in_bag(self, number: int, wanted: list[int]) -> list[list[bytes]]:
        """The messages of the window are decoded, the last of each camera up to each wanted time is taken."""
        assert self._bag is not None
        grid, cameras = self._grids[number], self._contract.cameras
        times = [int(grid.times[grid.frame_steps[frame]]) for frame in wanted]
        topics = tuple(camera.compressed_topic for camera in cameras)
        seen = list(self._bag.messages(topics, min(times) - SLACK_NS, max(times) + 1))
        return [
            [
                next(m.data.tobytes() for name, at, m in reversed(seen) if name == topic and at <= time)
                for topic in topics
            ]
            for time in times
        ]


def samples(workload: Workload) -> list[Measurement]:
    """Random batches of policy samples (frames and chunk), each source after the other."""
    history = workload.preset.policy.policy.history
    offline = OfflineSamples.all_frames(workload.episodes, np.ones(len(workload.episodes), np.int64))
    memory, bag = DecodedSamples(workload, from_bag=False), DecodedSamples(workload, from_bag=True)
    rng = np.random.default_rng(0)
    ours, decoded, from_bag = race(
        lambda: offline.batch(rng, BATCH, history),
        lambda: memory.batch(rng, BATCH, history),
        lambda: bag.batch(rng, BAG_BATCH, history),
        rounds=7,
    )
    bag.close()
    value = BATCH / float(np.median(ours))
    return [
        Measurement("samples", "1/CPU s", value, name, amount / float(np.median(times)), "higher", len(times))
        for name, amount, times in (
            ("JPEG decoded for every sample, files in memory", BATCH, decoded),
            ("read from the bag and decoded for every sample", BAG_BATCH, from_bag),
        )
    ]


def loading(workload: Workload) -> list[Measurement]:
    """Start of a training on bags that an earlier one has converted."""
    assert len(workload.episodes)
    height, width = workload.preset.image_size
    (again,) = race(lambda: load_bags([workload.bag], (height, width), workers=1), rounds=3)
    (first,) = race(lambda: load_bags([workload.bag], (height, width + 1), workers=1), rounds=1, warmup=0)
    value, alternative = float(np.median(again)), float(np.median(first))
    return [
        Measurement("loading bags", "CPU s", value, "the first time, decoding them", alternative, "lower", len(again))
    ]
