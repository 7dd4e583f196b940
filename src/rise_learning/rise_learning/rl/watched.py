"""What self-improvement is told in imagination, as videos: the best and the worst chunk with their advantages."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from rise_learning.rl.imagination import Imagined, Starts, Travelled, WorldModel
from rise_worldmodel.visualize import future_pictures, with_caption, write_video

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """Two imagined chunks, the better one first: (2, F, V, h, w, 3) uint8 frames, (2, F) their V and (2,) advantages;
    V of what they start from."""

    frames: Tensor
    values: np.ndarray
    value_now: np.ndarray
    advantages: np.ndarray

    def pictures(self) -> np.ndarray:
        """(F, H, W, 3) uint8: both, one above the other, each above the curve of V up to there."""
        columns = []
        for frames, values, now, advantage in zip(
            self.frames, self.values, self.value_now, self.advantages, strict=True
        ):
            shown = future_pictures(frames, values, float(now))
            columns.append([with_caption(picture, f"advantage {advantage:+.3f}") for picture in shown])
        return np.stack([np.concatenate(rows) for rows in zip(*columns, strict=True)])


class Watched:
    """Passes on to a world model; between `watch` and `write` it keeps what a video shows of one imagination.

    That is the first one of several chunks from each state, else the first one: of chunks from one state, that where
    they differ most, the best and the worst; else of all.

    Args:
        judged_frames: see `Imagined.judged`.
    """

    def __init__(self, model: WorldModel, judged_frames: int) -> None:
        self.model, self.judged_frames = model, judged_frames
        self._watching = self._compared = False
        self._kept: Pair | None = None

    def watch(self) -> None:
        """Something of what is imagined from now on is to be kept."""
        self._watching, self._compared, self._kept = True, False, None

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        found = self.model.imagine(starts, chunks, seed)
        seen = found.frames.ndim == 6  # the simulator that judges for itself renders nothing
        if self._watching and seen and len(chunks) > 1 and not self._compared:
            self._keep(found, _chunks_of_a_state(starts))
        return found

    def advance(self, starts: Starts, commands: Tensor, frames: Tensor) -> Travelled:
        return self.model.advance(starts, commands, frames)

    def write(self, path: Path, *, fps: float) -> None:
        """The video of what was kept, if anything was; nothing is kept any more. No video is worth a training."""
        kept, self._watching, self._kept = self._kept, False, None
        if kept is None:
            return
        try:
            write_video(path, kept.pictures(), fps=fps)
        except OSError as error:
            logger.warning("%s is not written: %s", path, error)

    def _keep(self, found: Imagined, several: int) -> None:
        self._compared = several > 1
        if self._kept is not None and not self._compared:
            return
        advantages = found.judged(self.judged_frames)
        by_state = advantages.reshape(-1, several if self._compared else len(advantages))
        state = int(np.ptp(by_state, axis=1).argmax())
        rows = state * by_state.shape[1] + np.array([by_state[state].argmax(), by_state[state].argmin()])
        now = np.zeros(2) if found.value_now is None else found.value_now[rows]
        shown = min(found.frames.shape[1], found.rise.shape[1])  # both end with the chunk
        values = now[:, None] + found.rise[rows, -shown:]
        self._kept = Pair(found.frames[rows, -shown:], values, now, advantages[rows])


def _chunks_of_a_state(starts: Starts) -> int:
    """How many copies of a state lie side by side, as `Starts.repeat` makes them; 1 for none."""
    same = (starts.state == starts.state[0]).all(1)
    count = int(same.long().cumprod(0).sum())
    return 1 if len(same) % count else count
