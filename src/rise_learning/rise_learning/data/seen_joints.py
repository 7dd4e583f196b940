"""Joints that pictures show better than commands tell: what a gripper closes on is not in its command."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from rise_learning.data.episode_set import EpisodeSet
from rise_robot.core.images import resize_frame
from rise_robot.core.tracking import JointTracking

SMALL = (12, 16)
"""(height, width) of the pictures that joints are read from."""
SAMPLES = 6000
"""Recorded frames that the reading is fitted to, at most."""
CERTAIN = 3.0
"""Errors of the reading by which it must differ from what commands say; imagined frames are read worse than true."""
PARTS = ("weights", "offset", "error", "bounds")
RIDGE = 1.0
"""Penalty on squared weights, for intensities in [0, 1]."""


@dataclass(frozen=True)
class SeenJoints:
    """Positions that are linear in small pictures of all views, for the joints that recordings show to be read better
    than followed.

    Attributes:
        numbers: of those joints, J of them; none where commands tell all there is to know.
        weights: (D, J) of V * SMALL * 3 intensities in [0, 1]. offset: (J,).
        error: (J,) rms of the reading.
        bounds: (2, J) lowest and highest recorded positions.
    """

    numbers: tuple[int, ...]
    weights: np.ndarray
    offset: np.ndarray
    error: np.ndarray
    bounds: np.ndarray

    @classmethod
    def none(cls) -> SeenJoints:
        return cls((), np.empty((0, 0)), np.empty(0), np.empty(0), np.empty((2, 0)))

    @classmethod
    def fit(cls, episodes: EpisodeSet, tracking: JointTracking, seed: int = 0) -> SeenJoints:
        """The joints that are read more exactly than followed over one chunk, in episodes that the reading was not
        fitted to; then fitted to all."""
        chunk = episodes.contract.frames_per_chunk
        g = np.flatnonzero(episodes.frames_left(np.arange(len(episodes))) >= chunk)
        g = np.random.default_rng(seed).permutation(g)[:SAMPLES]
        apart = episodes.episode_of[g] % 2 == 1
        if apart.sum() < 2 or apart.all():
            return cls.none()
        position = episodes.state[episodes.step_of[g]]
        after = episodes.future_index(g, chunk)[:, -1]
        followed = tracking.follow(position, episodes.chunk(g))[:, -1]
        pictures, shown = _intensities(episodes.frames[after]), episodes.state[episodes.step_of[after]]
        weights, offset = _ridge(pictures[~apart], shown[~apart])
        read_error = _rms(pictures[apart] @ weights + offset - shown[apart])
        numbers = np.flatnonzero(read_error < _rms(followed[apart] - shown[apart]))
        weights, offset = _ridge(pictures, shown[:, numbers])
        bounds = np.stack([episodes.state.min(0), episodes.state.max(0)])[:, numbers]
        return cls(tuple(numbers.tolist()), weights, offset, read_error[numbers], bounds)

    def correct(self, positions: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """(..., A) positions, those of `numbers` as frames (..., V, h, w, 3) uint8 show them where `CERTAIN`."""
        if not self.numbers:
            return positions
        pictures = _intensities(frames.reshape(-1, *frames.shape[-4:]))
        read = np.clip(pictures @ self.weights + self.offset, *self.bounds)
        corrected, columns = positions.copy(), list(self.numbers)
        told, read = positions[..., columns], read.reshape(*positions.shape[:-1], -1)
        corrected[..., columns] = np.where(np.abs(read - told) > CERTAIN * self.error, read, told)
        return corrected

    def to_json(self) -> str:
        parts = {name: getattr(self, name).round(7).tolist() for name in PARTS}
        return json.dumps({"numbers": self.numbers, **parts})

    @classmethod
    def from_json(cls, text: str) -> SeenJoints:
        raw = json.loads(text)
        if not raw["numbers"]:
            return cls.none()
        return cls(tuple(raw["numbers"]), *(np.array(raw[name]) for name in PARTS))


def _intensities(frames: np.ndarray) -> np.ndarray:
    """(N, V, h, w, 3) uint8 -> (N, V * SMALL * 3) float32 in [0, 1]."""
    small = [resize_frame(view, SMALL) for frame in frames for view in frame]
    return np.stack(small).reshape(len(frames), -1).astype(np.float32) / 255.0


def _ridge(pictures: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D, J) weights and (J,) offset."""
    mean, middle = pictures.mean(0), positions.mean(0)
    x = pictures - mean
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1], dtype=x.dtype), x.T @ (positions - middle))
    return weights, middle - mean @ weights


def _rms(error: np.ndarray) -> np.ndarray:
    """(N, J) -> (J,)."""
    rms: np.ndarray = np.sqrt(np.square(error).mean(0))
    return rms
