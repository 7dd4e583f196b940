"""Variants of a policy's own chunks from one state, early and late and aside: does imagination know the better ones?

What chooses among chunks, and so what leads imagined episodes, rests on this, and it depends on where in an episode it
is asked: before a grasp, or behind it (docs/decisions/0020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rise_learning.evaluation.statistics import correlation_within, mean_and_error
from rise_learning.rl.exploration import moved_aside, time_shifted
from rise_learning.rl.imagination import Imagined, Starts
from rise_robot.core.contract import Contract
from rise_robot.core.tool_shift import ToolShift

STEPS = (-12, -8, -4, 4, 8, 12)
"""Control steps by which chunks come later (negative) or earlier."""
METRES = (-0.03, -0.015, 0.015, 0.03)
"""By which both tools go aside, along x and along y."""
KINDS = (("own", 0.0), *(("time", float(s)) for s in STEPS), *((axis, m) for axis in "xy" for m in METRES))
STATES_AT_ONCE = 4
ENDS = 3
"""Last frames whose mean V says what a chunk has led to."""


class Judges(Protocol):
    """What of world models is asked for here."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined: ...


@dataclass(frozen=True)
class Variants:
    """(S, N, F) of N = len(KINDS) chunks from each of S states, after each of F frames: V of imagined frames, V of true
    ones, and progress."""

    imagined: np.ndarray
    true: np.ndarray
    progress: np.ndarray


def varied(own: Tensor, state: Tensor, contract: Contract) -> Tensor:
    """(S, N, K, A): chunks (S, K, A) from joint positions (S, A), rad and m, in all KINDS."""
    tools = ToolShift(contract)
    found = []
    for kind, amount in KINDS:
        if kind == "own":
            found.append(own)
        elif kind == "time":
            found.append(time_shifted(own, state, torch.full((len(own),), amount)))
        else:
            aside = np.zeros((len(own), tools.arms, 3))
            aside[..., "xyz".index(kind)] = amount
            found.append(moved_aside(own, aside, tools))
    return torch.stack(found, 1)


def judge_variants(chunks: Tensor, starts: Starts, judges: Sequence[Judges], seed: int) -> Variants:
    """What imagination, V of true frames, and the simulator's progress say of (S, N, K, A) chunks from S states."""
    count = chunks.shape[1]
    found: list[list[np.ndarray]] = [[] for _ in judges]
    parts = zip(starts.split(STATES_AT_ONCE), chunks.split(STATES_AT_ONCE), strict=True)
    bar = tqdm(parts, "variants", -(-len(chunks) // STATES_AT_ONCE), leave=False, unit_scale=STATES_AT_ONCE)
    for number, (part, own) in enumerate(bar):
        for judge, values in zip(judges, found, strict=True):
            said = judge.imagine(part.repeat(count), own.flatten(0, 1), seed + number)
            assert said.value_now is not None
            values.append((said.value_now[:, None] + said.rise).reshape(len(own), count, -1))
    return Variants(*(np.concatenate(values) for values in found))


def variants_report(found: Variants, episode_of: np.ndarray, judged: Sequence[int]) -> list[dict[str, Any]]:
    """A row for every number of last frames that are judged, 0 for all: how imagination's judgement goes with that of
    true frames within a state, and what the chunk that it likes best truly gains on the policy's own."""
    rows, states = [], np.arange(len(found.imagined))
    ends, progress = found.true[..., -ENDS:].mean(-1), found.progress[..., -1]
    for last in judged:
        imagined, true = (values[..., -last:].mean(-1) for values in (found.imagined, found.true))
        best, ceiling = imagined.argmax(1), true.argmax(1)
        rows.append(
            {
                "judged_frames": last,
                "correlation": correlation_within(imagined, true),
                "gain_imagined": float((imagined[states, best] - imagined[:, 0]).mean()),
                "gain": mean_and_error(ends[states, best] - ends[:, 0], episode_of),
                "gain_progress": mean_and_error(progress[states, best] - progress[:, 0], episode_of),
                "gain_ceiling": mean_and_error(ends[states, ceiling] - ends[:, 0], episode_of),
            }
        )
    return rows


def variants_lines(rows: Sequence[dict[str, Any]], states: int) -> list[str]:
    """For a terminal."""
    lines = [
        f"{len(KINDS)} variants of the policy's own chunk from {states} states: by last frames judged, correlation of "
        "imagined with true V within a state,",
        "and what the best one gains on the own: imagined; truly, in V and in progress; best by true frames",
        f"{'judged':>7}{'correlation':>13}{'imagined':>10}{'V':>18}{'progress':>18}{'ceiling, V':>18}",
    ]
    for row in rows:
        gains = "".join(
            f"{'{:+.3f} +- {:.3f}'.format(*row[key]):>18}" for key in ("gain", "gain_progress", "gain_ceiling")
        )
        lines.append(
            f"{row['judged_frames'] or 'all':>7}{row['correlation']:13.2f}{row['gain_imagined']:+10.3f}{gains}"
        )
    return lines
