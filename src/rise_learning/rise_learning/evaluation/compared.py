"""Chunks from one saved state, imagined beside what really came of them: rows of the ranking, and their picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rise_learning.evaluation.counterfactuals import EXPERT, Branch, Comparison
from rise_learning.evaluation.imagination_figures import Future, futures_figure
from rise_learning.evaluation.ranking import paired_rate, wins
from rise_learning.rl.imagination import Imagined, Starts
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_worldmodel.world_model import Imagination

DRAWN = 3
"""Imagined futures of a picture."""
DOUBTS = ("jump", "reconstruction", "values", "frames")
"""Measures of `Doubt` that are held against the error of the advantage."""


class Judged(NamedTuple):
    """N chunks of one state, imagined and as they really went."""

    imagined: Imagination
    true: Imagined

    @property
    def advantages(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) Eq. 2 on imagined and (N,) on true frames."""
        return self.imagined.advantage.float().numpy(), self.true.advantage


def starts_of(start: Branch | Comparison, count: int) -> Starts:
    """`count` copies of one state."""
    context, state = (torch.from_numpy(part)[None] for part in (start.context, start.state))
    return Starts(context, state, [start.instruction]).repeat(count)


def judge(
    model: LearnedWorldModel, start: Branch | Comparison, chunks: np.ndarray, frames: np.ndarray, seed: int
) -> Judged:
    """(N, K, A) chunks from one state, imagined, beside their true frames (N, F, V, h, w, 3)."""
    starts = starts_of(start, len(chunks))
    return Judged(
        model.predict(starts, torch.from_numpy(chunks), seed),
        model.judge(starts.context[:, -1], torch.from_numpy(frames), starts.instructions),
    )


class Rows:
    """What the ranking is made of, state by state.

    Args:
        several_steps: numbers of Euler steps that every chunk is imagined with as well.
    """

    def __init__(self, several_steps: Sequence[int] = ()) -> None:
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._doubts: list[dict[str, np.ndarray]] = []
        self._of_steps: dict[int, list[np.ndarray]] = {steps: [] for steps in several_steps}
        self._seconds = dict.fromkeys(several_steps, 0.0)

    def add(self, model: LearnedWorldModel, found: Comparison, judged: Judged) -> None:
        self._rows.append((*judged.advantages, found.differs[1:]))
        if judged.imagined.doubt is not None:
            doubt = judged.imagined.doubt
            self._doubts.append({name: getattr(doubt, name).float().numpy() for name in DOUBTS})
        starts, chunks = starts_of(found, len(found.chunks)), torch.from_numpy(found.chunks)
        for steps, column in self._of_steps.items():
            begin = time.process_time()
            column.append(model.predict(starts, chunks, found.seed, steps=steps).advantage.float().numpy())
            self._seconds[steps] += time.process_time() - begin

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(S, N) Eq. 2 on imagined and on true frames, and (S, N - 1) which pairs count."""
        imagined, true, differs = (np.stack(column) for column in zip(*self._rows, strict=True))
        return imagined, true, differs

    def doubts(self) -> dict[str, np.ndarray]:
        """(S, N) by measure."""
        return {name: np.stack([row[name] for row in self._doubts]) for name in DOUBTS}

    def by_steps(self, recorded: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Paired rate of the expert per number of Euler steps, beside what recorded chunks gave for them."""
        differs, known = self.arrays()[2], {row["steps"]: row for row in recorded}
        rows = []
        for steps, column in self._of_steps.items():
            found = paired_rate(wins(np.stack(column)), differs)
            seconds = self._seconds[steps] / sum(len(part) for part in column)
            of_recorded = known.get(steps, {"steps": steps, "cpu_s_per_chunk": seconds})
            rows.append({**of_recorded, "advantage_auc_imagined": found["rate"], "interval95": found["interval95"]})
        return rows


def draw_futures(directory: Path, found: Comparison, kinds: tuple[str, ...], judged: Judged, rate: float) -> Path:
    """As Fig. 15: the expert's true frames, its imagined ones, and the most similar chunks that ended otherwise."""
    different = np.flatnonzero(found.differs)
    apart = np.abs(found.chunks[different] - found.chunks[0]).mean((1, 2))
    worse = different[np.argsort(apart)][: DRAWN - 1].tolist()
    imagined, values = judged.imagined.frames.numpy(), judged.imagined.values.float().numpy()
    rise = values - judged.imagined.value_now.float().numpy()[:, None]
    advantages = judged.advantages[0]
    futures = [Future(f"{EXPERT}, true frames", found.frames[0], judged.true.rise[0], dashed=True)]
    for index in [0, *worse]:
        fate = ", ".join(found.consequences[index])
        name = f"{kinds[index].replace('_', ' ')}, imagined: A = {advantages[index]:+.2f} (really: {fate})"
        futures.append(Future(name, imagined[index], rise[index]))
    title = f"seed {found.seed}, step {found.step}: {found.instruction}"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{found.seed}_futures.png"
    path.write_bytes(futures_figure(found.context[-1], futures, rate, title))
    return path
