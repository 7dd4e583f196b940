"""Figures on recorded episodes alone, where no robot can be run: dynamics, value, and open-loop actions of policies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.evaluation.ranking import RESAMPLES
from rise_learning.evaluation.statistics import auc, auc_interval, correlation
from rise_learning.policy.checkpoint import TrainedPolicy
from rise_learning.policy.flow_policy import PolicyInput
from rise_learning.train_dynamics import clip, told_of
from rise_learning.training.world_model_io import value_of_frames
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.dynamics_report import Portion, collect_scores, named_figures
from rise_worldmodel.value import ValueFunction
from rise_worldmodel.video_scores import PublishedMetrics, VideoScores

PORTION = 8
"""Chunks imagined together."""


def complete_starts(episodes: EpisodeSet, numbers: list[int] | None = None) -> np.ndarray:
    """Frames whose whole chunk was recorded, of all episodes or of those with these numbers; may be empty."""
    everything = np.arange(len(episodes))
    keep = episodes.frames_left(everything) >= episodes.contract.frames_per_chunk
    if numbers is not None:
        keep &= np.isin(episodes.episode_of, numbers)
    return everything[keep]


def dynamics_figures(
    model: MultiViewDynamics, inputs: DynamicsInputs, episodes: EpisodeSet, *, chunks: int, seed: int, steps: int
) -> dict[str, Any]:
    """`named_figures` over all episodes together and for each one, on at most `chunks` chunks of each episode."""
    of_episode = chunks_by_episode(episodes, chunks, seed)
    if not of_episode:
        return {"chunks": 0, "episodes": 0}
    mixed = np.random.default_rng([seed, 1]).permutation(np.concatenate(list(of_episode.values())))
    report = named_figures(chunk_scores(model, inputs, episodes, mixed, seed=seed, steps=steps))
    each: list[dict[str, Any]] = []
    for number, starts in of_episode.items():
        found = named_figures(chunk_scores(model, inputs, episodes, starts, seed=seed, steps=steps))
        each.append({"episode_id": episodes.episodes[number].episode_id, "chunks": len(starts), **found})
    return {
        "chunks": len(mixed),
        "episodes": len(each),
        **report,
        **gains(report),
        "episodes_above_copy_last": sum(item["psnr"] > item["psnr_copy_last"] for item in each),
        "by_episode": each,
    }


def chunks_by_episode(episodes: EpisodeSet, chunks: int, seed: int) -> dict[int, np.ndarray]:
    """At most `chunks` frames with a whole chunk of each episode that has two or more."""
    rng, found = np.random.default_rng(seed), {}
    for number in range(len(episodes.episodes)):
        starts = complete_starts(episodes, [number])
        if len(starts) > 1:
            found[number] = rng.permutation(starts)[:chunks]
    return found


def gain_intervals(scores: dict[str, VideoScores], episode_of: np.ndarray) -> dict[str, list[float]]:
    """95 % intervals of `gains`: a bootstrap over episodes, whose chunks stay together.

    Args:
        episode_of: (N,) episode of every chunk, in the order of the scores.
    """
    _, group = np.unique(episode_of, return_inverse=True)
    count = int(group.max()) + 1
    sums = {name: np.zeros((count, 4)) for name in scores}
    for name, found in scores.items():
        np.add.at(sums[name], group, found.psnr_sums().numpy())
    chosen = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    drawn = {name: each[chosen].sum(1) for name, each in sums.items()}
    with np.errstate(invalid="ignore"):  # nothing moves in any of the chunks drawn: NaN, as in the figures themselves
        errors = {name: each[:, [0, 2]] / each[:, [1, 3]] for name, each in drawn.items()}
    decibels = {name: -10.0 * np.log10(np.maximum(each, 1e-10)) for name, each in errors.items()}
    intervals = {}
    for bound in ("copy_last", "shuffled_actions"):
        gained = decibels["psnr"] - decibels[f"psnr_{bound}"]
        for column, moving in enumerate(("", "_moving")):
            found = np.quantile(gained[:, column], [0.025, 0.975]).tolist()
            intervals[f"interval95_gain_over_{bound}_db{moving}"] = found
    return intervals


def gains(report: dict[str, float]) -> dict[str, float]:
    """DB that imagination is better than its bounds below."""
    return {
        "gain_over_copy_last_db": report["psnr"] - report["psnr_copy_last"],
        "gain_over_copy_last_db_moving": report["psnr_moving"] - report["psnr_copy_last_moving"],
        "gain_over_shuffled_actions_db": report["psnr"] - report["psnr_shuffled_actions"],
        "gain_over_shuffled_actions_db_moving": report["psnr_moving"] - report["psnr_shuffled_actions_moving"],
    }


def chunk_scores(
    model: MultiViewDynamics,
    inputs: DynamicsInputs,
    episodes: EpisodeSet,
    g: np.ndarray,
    *,
    seed: int,
    steps: int,
    flow: bool = False,
    published: PublishedMetrics | None = None,
) -> dict[str, VideoScores]:
    """`collect_scores` of the chunks at frames g (B,); only a few are in memory at a time."""
    seeds = np.random.default_rng(seed).integers(2**62, size=len(g)).tolist()
    others = np.roll(g, 1)

    def portions() -> Iterator[Portion]:
        for rows in np.array_split(np.arange(len(g)), -(-len(g) // PORTION)):
            context, future, told = clip(episodes, g[rows], inputs)
            other = told_of(episodes, g[rows], inputs, acting=others[rows])
            yield Portion(context, future, told, other, [seeds[row] for row in rows])

    return collect_scores(model, portions(), steps=steps, flow=flow, published=published)


def value_figures(model: ValueFunction, episodes: EpisodeSet) -> tuple[dict[str, Any], np.ndarray]:
    """Value of successes against failures, its course over each episode, and (N,) V of every frame.

    AUCs are None where the episodes hold no success or no failure; `progress_correlation` is that of V with t / T.
    """
    values = value_of_frames(model, episodes)
    rows = []
    for number, episode in enumerate(episodes.episodes):
        g = np.arange(episodes.first_frame[number], episodes.last_frame[number] + 1)
        own = values[g].astype(np.float64)
        rows.append(
            {
                "episode_id": episode.episode_id,
                "outcome": episode.outcome,
                "frames": len(own),
                "first": float(own[0]),
                "last": float(own[-1]),
                "mean": float(own.mean()),
                "progress_correlation": None if math.isnan(along := correlation(own, episodes.progress(g))) else along,
            }
        )
    figures: dict[str, Any] = {
        f"episodes_{outcome}": sum(row["outcome"] == outcome for row in rows) for outcome in ("success", "failure")
    }
    for name in ("last", "mean"):
        good, bad = (np.array([r[name] for r in rows if r["outcome"] == outcome]) for outcome in ("success", "failure"))
        both = len(good) > 0 and len(bad) > 0
        figures[f"auc_success_vs_failure_{name}"] = auc(good, bad) if both else None
        figures[f"interval95_auc_success_vs_failure_{name}"] = auc_interval(good, bad) if both else None
    return {**figures, "by_failure": _by_failure(rows, episodes), "by_episode": rows}, values


def _by_failure(rows: list[dict[str, Any]], episodes: EpisodeSet) -> dict[str, dict[str, Any]]:
    """AUC of the last frames of all successes against failures whose last rubric event was the same; "" is none."""
    good = np.array([row["last"] for row in rows if row["outcome"] == "success"])
    kinds: dict[str, list[float]] = {}
    for row, episode in zip(rows, episodes.episodes, strict=True):
        if row["outcome"] == "failure" and len(good):
            kinds.setdefault(episode.events[-1][1] if episode.events else "", []).append(row["last"])
    found = {}
    for kind, last in sorted(kinds.items()):
        bad = np.array(last)
        found[kind] = {"episodes": len(bad), "auc": auc(good, bad), "interval95": auc_interval(good, bad)}
    return found


def sampled_chunks(trained: TrainedPolicy, episodes: EpisodeSet, g: np.ndarray, *, seed: int) -> np.ndarray:
    """(B, K, A) one chunk of the policy from each frame g, asked for its top bin as in deployment; rad and m."""
    policy, top = trained.policy, trained.bin_asked(None)
    noise = np.random.default_rng(seed).standard_normal((len(g), policy.config.basis_size)).astype(np.float32)
    chunks = []
    for rows in np.array_split(np.arange(len(g)), -(-len(g) // 64)):
        inputs = PolicyInput(
            torch.from_numpy(episodes.history(g[rows], policy.config.history)),
            torch.from_numpy(episodes.state[episodes.step_of[g[rows]]]),
            episodes.instructions_of(g[rows]),
            torch.full((len(rows),), top),
        )
        chunks.append(policy.sample(inputs, torch.from_numpy(noise[rows])).numpy())
    return np.concatenate(chunks)


def holding_still(episodes: EpisodeSet, g: np.ndarray) -> np.ndarray:
    """(B, K, A) commands that keep the joints where they are at frame g."""
    return np.repeat(episodes.state[episodes.step_of[g]][:, None], episodes.contract.chunk_size, axis=1)


def action_errors(chunks: np.ndarray, recorded: np.ndarray, episodes: EpisodeSet) -> dict[str, Any]:
    """Mean absolute error of chunks (B, K, A) to the recorded ones, by joint, and by unit: rad and m never mix.

    `mean_rad_by_frame` is the error over the actions of each frame period of the chunk, from now on.
    """
    contract = episodes.contract
    error = np.abs(chunks.astype(np.float64) - recorded)
    by_joint = error.mean((0, 1))
    figures: dict[str, Any] = {}
    for unit in dict.fromkeys(joint.unit for joint in contract.joints):
        columns = [column for column, joint in enumerate(contract.joints) if joint.unit == unit]
        figures[f"mean_{unit}"] = float(by_joint[columns].mean())
        frames = error[:, :, columns].reshape(len(error), contract.frames_per_chunk, -1).mean((0, 2))
        figures[f"mean_{unit}_by_frame"] = frames.tolist()
    return {**figures, "by_joint": dict(zip(contract.joint_names, by_joint.tolist(), strict=True))}


def policy_figures(policies: dict[str, TrainedPolicy], episodes: EpisodeSet, *, seed: int) -> dict[str, dict[str, Any]]:
    """Open-loop action error of each policy and of holding still: over all episodes, and by outcome."""
    groups: dict[str, list[int] | None] = {"all": None}
    for outcome in ("success", "failure"):
        numbers = [n for n, episode in enumerate(episodes.episodes) if episode.outcome == outcome]
        if numbers:
            groups[outcome] = numbers
    figures: dict[str, dict[str, Any]] = {}
    for group, chosen in groups.items():
        g = complete_starts(episodes, chosen)
        if not len(g):
            continue
        recorded = episodes.chunk(g, clean=True)
        chunks = {name: sampled_chunks(trained, episodes, g, seed=seed) for name, trained in policies.items()}
        chunks["holding_still"] = holding_still(episodes, g)
        figures[group] = {
            "episodes": len(np.unique(episodes.episode_of[g])),
            "chunks": len(g),
            **{name: action_errors(found, recorded, episodes) for name, found in chunks.items()},
        }
    return figures
