"""A world model on held-out bags: video figures of Table V, value of successes against failures, Eq. 2 both ways."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import DataError
from rise_learning.evaluation.offline import (
    PORTION,
    chunk_scores,
    chunks_by_episode,
    gain_intervals,
    gains,
    value_figures,
)
from rise_learning.evaluation.statistics import correlation
from rise_learning.rl.imagination import Starts, recorded_starts
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.dynamics_report import named_figures
from rise_worldmodel.flow_matching import seeded_noise
from rise_worldmodel.value import ValueFunction
from rise_worldmodel.video_scores import PublishedMetrics
from rise_worldmodel.visualize import side_by_side, write_video


@dataclass(frozen=True)
class HeldOutChunks:
    """Recorded chunks that a world model is measured on.

    Attributes:
        frames: (N,) global numbers of the frames that they start at, mixed over episodes.
    """

    episodes: EpisodeSet
    frames: np.ndarray
    seed: int

    @classmethod
    def draw(cls, episodes: EpisodeSet, count: int, seed: int) -> HeldOutChunks:
        """`count` chunks at most, as many of every episode as of any other. Raises DataError where there are none."""
        each = max(2, -(-count // len(episodes.episodes)))
        found = list(chunks_by_episode(episodes, each, seed).values())
        if not found:
            raise DataError(f"no held-out episode has two whole chunks of {episodes.contract.frames_per_chunk} frames")
        mixed = np.random.default_rng([seed, 1]).permutation(np.concatenate(found))
        return cls(episodes, mixed[:count], seed)

    def starts(self, rows: np.ndarray) -> tuple[Starts, torch.Tensor, torch.Tensor]:
        """Of some of the chunks: states, (B, K, A) commands, (B, F, V, h, w, 3) frames that were recorded."""
        episodes, g = self.episodes, self.frames[rows]
        chunks, future = torch.from_numpy(episodes.chunk(g)), torch.from_numpy(episodes.following(g))
        return recorded_starts(episodes, g), chunks, future


def video_figures(
    dynamics: MultiViewDynamics,
    inputs: DynamicsInputs,
    chunks: HeldOutChunks,
    *,
    steps: int,
    published: PublishedMetrics,
) -> dict[str, Any]:
    """PSNR, SSIM, EPE and, where their weights are given, LPIPS and FVD, beside copy-last, codec and other actions."""
    scores = chunk_scores(
        dynamics, inputs, chunks.episodes, chunks.frames,
        seed=chunks.seed, steps=steps, flow=True, published=published,
    )  # fmt: skip
    report, episode_of = named_figures(scores), chunks.episodes.episode_of[chunks.frames]
    return {
        "chunks": len(chunks.frames),
        "episodes": len(np.unique(episode_of)),
        "videos": len(chunks.frames) * len(chunks.episodes.contract.cameras),
        **report,
        **gains(report),
        **gain_intervals(scores, episode_of),
    }


def steps_against_quality(
    model: LearnedWorldModel, chunks: HeldOutChunks, several: Sequence[int]
) -> list[dict[str, Any]]:
    """Per number of Euler steps: PSNR, SSIM, EPE, CPU seconds a chunk, correlation of Eq. 2 with recorded frames."""
    rows = []
    for steps in several:
        scores = chunk_scores(
            model.model.dynamics, model.inputs, chunks.episodes, chunks.frames,
            seed=chunks.seed, steps=steps, flow=True,
        )  # fmt: skip
        report = named_figures(scores)
        advantages = advantage_figures(model, chunks, steps=steps, timed=True)
        kept = ("psnr", "psnr_moving", "ssim", "epe")
        rows.append({"steps": steps, **{key: report[key] for key in kept}, **advantages})
    return rows


def advantage_figures(
    model: LearnedWorldModel, chunks: HeldOutChunks, *, steps: int | None = None, timed: bool = False
) -> dict[str, float]:
    """Correlation of Eq. 2 on imagined and on recorded frames, and mean absolute difference in units of value; with
    `timed` also the CPU seconds of imagining and judging one chunk."""
    pairs, seconds = [], 0.0
    for rows in np.array_split(np.arange(len(chunks.frames)), -(-len(chunks.frames) // PORTION)):
        starts, actions, future = chunks.starts(rows)
        begin = time.process_time()
        imagined = model.predict(starts, actions, chunks.seed + int(rows[0]), steps=steps).advantage.float().numpy()
        seconds += time.process_time() - begin
        pairs.append((imagined, model.judge(starts.context[:, -1], future, starts.instructions).advantage))
    imagined, recorded = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return {
        "advantage_correlation": correlation(imagined, recorded),
        "advantage_error": float(np.abs(imagined - recorded).mean()),
        **({"cpu_s_per_chunk": seconds / len(chunks.frames)} if timed else {}),
    }


def held_out_value(value: ValueFunction, episodes: EpisodeSet) -> tuple[dict[str, Any], np.ndarray]:
    """Figures by the names of train_value's report, with those of every episode, and (N,) V of every frame."""
    found, values = value_figures(value, episodes)
    names = ("auc_success_vs_failure", "interval95_auc_success_vs_failure")
    return {**{name: found[f"{name}_last"] for name in names}, **found}, values


def write_held_out_videos(
    directory: Path, dynamics: MultiViewDynamics, inputs: DynamicsInputs, chunks: HeldOutChunks, count: int, steps: int
) -> list[str]:
    """Clips of the first chunks, from top to bottom: recorded, imagined in `steps` Euler steps, and so under actions of
    another chunk."""
    count = min(count, len(chunks.frames))
    if not count:
        return []
    rows = np.arange(count)
    starts, actions, future = chunks.starts(rows)
    other = chunks.starts((rows + 1) % len(chunks.frames))[1]
    noise = seeded_noise(dynamics.latent_shape, np.random.default_rng(chunks.seed).integers(2**62, size=count).tolist())
    videos = [future]
    for chunk in (actions, other):
        told = inputs(starts.state, chunk, starts.instructions, starts.last_recorded)
        found = dynamics.sample(starts.context, told.actions, told.state, maps=told.maps, noise=noise, steps=steps)
        videos.append(found.cpu())
    contract = chunks.episodes.contract
    rate = contract.control_rate_hz / contract.actions_per_frame
    files = []
    for row in rows:
        clip = side_by_side([video[row] for video in videos], scale=-(-96 // future.shape[3]))
        files.append(write_video(directory / f"held_out_{chunks.frames[row]}.mp4", clip, fps=rate).name)
    return files
