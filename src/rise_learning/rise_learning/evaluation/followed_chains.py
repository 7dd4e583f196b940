"""How far imagination can be chained: recorded commands are followed link after link, and V at the end of what is
imagined is held against how the episode ended.

What rehearsed imagined episodes are worth rests on this: whether a policy ends well alone is said by V at the end of a
chain (docs/decisions/0019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.evaluation.statistics import auc, auc_interval, correlation
from rise_learning.rl.imagination import Imagined, Starts
from rise_learning.training.chain import LINK_FRAMES, Chain

PORTION = 16
"""Chains that are followed at once."""
JUDGED_FRAMES = 3
"""Last frames whose mean V counts, as `judged_frames` of `scripts/self_improvement.sh WORK SEED simulator`."""


class Imagines(Protocol):
    """What of a `LearnedWorldModel` is asked for here."""

    inputs: DynamicsInputs

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined: ...

    def judge(self, now: Tensor, frames: Tensor, instructions: list[str]) -> Imagined: ...


@dataclass(frozen=True)
class Followed:
    """B chains after some links.

    Attributes:
        squared_error: (B,) mean over the frames of this link, intensities of 0..255.
        imagined, recorded: (B,) V at the end of the chunk that begins here, of imagined and of recorded frames.
        succeeded: (B,) bool, how their episodes ended.
    """

    links: int
    squared_error: np.ndarray
    imagined: np.ndarray
    recorded: np.ndarray
    succeeded: np.ndarray


def follow(model: Imagines, episodes: EpisodeSet, g: np.ndarray, links: int, seed: int) -> list[Followed]:
    """Chains from frames g (N,), after 0, 1, ... `links` links, each as far as its episode goes."""
    succeeded = np.array([episode.outcome == "success" for episode in episodes.episodes])
    parts = np.array_split(g, -(-len(g) // PORTION))
    chains = [Chain.begin(model.inputs, episodes, part) for part in parts]
    found = []
    for link in tqdm(range(links + 1), desc="links", unit="link", leave=False):
        here, onward = [], []
        for number, chain in enumerate(chains):
            imagined = model.imagine(chain.here, chain.commands, seed + link + (links + 1) * number)
            future = torch.from_numpy(episodes.following(chain.g))
            now = torch.from_numpy(episodes.frames[chain.g])
            recorded = model.judge(now, future, chain.here.instructions)
            apart = imagined.frames[:, :LINK_FRAMES].float() - future[:, :LINK_FRAMES].float()
            error = apart.square().flatten(1).mean(1).numpy()
            here.append((error, _at_the_end(imagined), _at_the_end(recorded), succeeded[episodes.episode_of[chain.g]]))
            going_on = np.flatnonzero(episodes.frames_left(chain.g) > LINK_FRAMES)
            if len(going_on):
                onward.append(chain.select(going_on).onward(imagined.frames[going_on]))
        found.append(Followed(link, *map(np.concatenate, zip(*here, strict=True))))
        if not onward:
            break
        chains = onward
    return found


def _at_the_end(found: Imagined) -> np.ndarray:
    assert found.value_now is not None
    return found.value_now + found.judged(JUDGED_FRAMES)


def chain_report(found: Sequence[Followed], frames_per_chunk: int) -> list[dict[str, Any]]:
    """A row a link: PSNR of its frames; median V at the end of its chunk, by outcome, and the AUC of the outcomes."""
    rows, unknown = [], float("nan")
    for after in found:
        row: dict[str, Any] = {
            "links": after.links,
            "frames": LINK_FRAMES * after.links + frames_per_chunk,
            "episodes": len(after.succeeded),
            "successes": int(after.succeeded.sum()),
            "psnr": float(10 * np.log10(255.0**2 / max(after.squared_error.mean(), 1e-9))),
            "correlation": correlation(after.imagined, after.recorded),
        }
        for name, values in (("imagined", after.imagined), ("recorded", after.recorded)):
            won, lost = values[after.succeeded], values[~after.succeeded]
            row |= {
                f"success_{name}": float(np.median(won)) if len(won) else unknown,
                f"failure_{name}": float(np.median(lost)) if len(lost) else unknown,
                f"auc_{name}": auc(won, lost),
                f"interval95_{name}": auc_interval(won, lost) if len(won) and len(lost) else [unknown, unknown],
            }
        rows.append(row)
    return rows


def chain_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """For a terminal."""
    lines = [
        "V at the end, of successes and failures (medians), and their AUC (95 %)",
        f"{'links':>5}{'frames':>8}{'episodes':>10}{'PSNR':>7}{'imagined':>16}{'recorded':>16}"
        f"{'AUC imagined':>22}{'recorded':>22}{'r':>6}",
    ]
    for row in rows:
        values = "".join(
            f"{row[f'success_{name}']:+9.2f} {row[f'failure_{name}']:+6.2f}" for name in ("imagined", "recorded")
        )
        cells = "".join(
            "{:8.3f} ({:.3f}-{:.3f})".format(row[f"auc_{name}"], *row[f"interval95_{name}"])
            for name in ("imagined", "recorded")
        )
        lines.append(
            f"{row['links']:5}{row['frames']:8}{row['episodes']:10}{row['psnr']:7.1f}{values}{cells}"
            f"{row['correlation']:6.2f}"
        )
    return lines
