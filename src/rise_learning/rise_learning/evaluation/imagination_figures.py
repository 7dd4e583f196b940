"""Pictures of the world model as the paper shows them: several futures of one state (Fig. 3, 15), value (Fig. 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.evaluation.report_figures import BLUE, COLOURS, GREEN, GREY, ORANGE, STYLE, png, strip

SHOWN = 6
"""Frames of a row."""


@dataclass(frozen=True)
class Future:
    """One row of `futures_figure`.

    Attributes:
        name: of the chunk, with what became of it.
        frames: (F, V, h, w, 3) uint8.
        values: (F,) V minus V now.
        dashed: of true frames.
    """

    name: str
    frames: np.ndarray
    values: np.ndarray
    dashed: bool = False


def futures_figure(now: np.ndarray, futures: Sequence[Future], rate: float, title: str) -> bytes:
    """PNG of what different actions lead to from one state: frames on the left, value curves on the right.

    Args:
        now: (V, h, w, 3) uint8, the state.
        rate: frames per second.
    """
    views, height, width = now.shape[:3]
    with matplotlib.rc_context(STYLE):
        row = 8.2 * views * height / ((SHOWN + 1) * width)
        figure = Figure(figsize=(12.5, (row + 0.28) * len(futures) + 0.5), layout="constrained")
        figure.suptitle(title, fontsize=10, x=0.01, ha="left")
        grid = figure.add_gridspec(len(futures), 2, width_ratios=(8.2, 3.6))
        for number, future in enumerate(futures):
            chosen = np.linspace(0, len(future.frames) - 1, SHOWN).round().astype(int)
            axes = figure.add_subplot(grid[number, 0])
            axes.imshow(strip(np.concatenate([now[None], future.frames[chosen]])), interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(future.name, color=_colour(futures, number), fontsize=9)
        axes = figure.add_subplot(grid[:, 1])
        _curves(axes, futures, rate)
        return png(figure)


def _curves(axes: Axes, futures: Sequence[Future], rate: float) -> None:
    for number, future in enumerate(futures):
        seconds = np.arange(len(future.values) + 1) / rate
        axes.plot(
            seconds, np.concatenate([[0.0], future.values]), color=_colour(futures, number), label=future.name,
            linestyle="--" if future.dashed else "-", linewidth=1.8,
        )  # fmt: skip
    axes.axhline(0, color=GREY, linewidth=0.7)
    axes.set(xlabel="time from now, s", title="value minus value now; its mean is the advantage (Eq. 2)")
    axes.legend(fontsize=7, frameon=True, framealpha=0.8)
    axes.grid(alpha=0.25)


def _colour(futures: Sequence[Future], number: int) -> str:
    """True frames are grey, imagined ones take the palette in turn."""
    if futures[number].dashed:
        return GREY
    return (BLUE, *COLOURS[1:4])[sum(not future.dashed for future in futures[:number]) % 4]


def outcomes_figure(episodes: EpisodeSet, values: np.ndarray) -> bytes | None:
    """PNG of V over success and failure: frames of some episodes above their curves, all curves at the bottom.

    On the left the typical episode of an outcome, on the right the one that V at the end tells worst.

    Args:
        values: (N,) V of every frame.

    Returns:
        None where no episode's outcome is known.
    """
    shown = [(number, outcome) for outcome in ("success", "failure") for number in _examples(episodes, values, outcome)]
    if not shown:
        return None
    views, height, width = episodes.frames.shape[1:4]
    row = 4.9 * views * height / (SHOWN * width)
    rows = -(-len(shown) // 2)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, (row + 1.6) * rows + 2.4), layout="constrained")
        grid = figure.add_gridspec(2 * rows + 1, 2, height_ratios=[row, 1.4] * rows + [2.0])
        for place, (number, outcome) in enumerate(shown):
            above = figure.add_subplot(grid[2 * (place // 2), place % 2])
            below = figure.add_subplot(grid[2 * (place // 2) + 1, place % 2])
            _episode(above, below, episodes, values, number, outcome)
        _all_curves(figure.add_subplot(grid[-1, :]), episodes, values)
        return png(figure)


def _examples(episodes: EpisodeSet, values: np.ndarray, outcome: str) -> list[int]:
    """Of one outcome: the episode with the median V at its end, and the one that V at its end tells worst."""
    found = [number for number, episode in enumerate(episodes.episodes) if episode.outcome == outcome]
    order = sorted(found, key=lambda number: values[episodes.last_frame[number]], reverse=outcome == "success")
    return list(dict.fromkeys((order[len(order) // 2], order[-1]))) if order else []


def _frames_of(episodes: EpisodeSet, number: int) -> np.ndarray:
    return np.arange(episodes.first_frame[number], episodes.last_frame[number] + 1)


def _episode(above: Axes, below: Axes, episodes: EpisodeSet, values: np.ndarray, number: int, outcome: str) -> None:
    g, rate = _frames_of(episodes, number), episodes.contract.control_rate_hz / episodes.contract.actions_per_frame
    chosen = g[np.linspace(0, len(g) - 1, SHOWN).round().astype(int)]
    colour = GREEN if outcome == "success" else ORANGE
    above.imshow(strip(episodes.frames[chosen]), interpolation="nearest", aspect="auto")
    above.set_axis_off()
    above.set_title(f"{outcome}: {episodes.episodes[number].episode_id}", color=colour)
    below.plot((g - g[0]) / rate, values[g], color=colour, linewidth=1.8)
    below.plot((chosen - g[0]) / rate, values[chosen], "o", color=colour, markersize=4)
    below.axhline(0, color=GREY, linewidth=0.7)
    names: dict[int, list[str]] = {}
    for frame, name, _ in episodes.episodes[number].events:
        names.setdefault(frame, []).append(name.replace("_", " "))
    for frame, several in names.items():
        below.axvline(frame / rate, color=GREY, linewidth=0.8, linestyle=":")
        text = dict.fromkeys(several)
        below.text(frame / rate, 0.03, " " + ", ".join(text), fontsize=6, color=GREY,
            transform=below.get_xaxis_transform())  # fmt: skip
    low, high = min(-0.25, float(values[g].min())), max(1.0, float(values[g].max()))
    below.set(ylim=(low - 0.1, high + 0.1), xlabel="s", ylabel="V")


def _all_curves(axes: Axes, episodes: EpisodeSet, values: np.ndarray) -> None:
    counts = dict.fromkeys(("success", "failure"), 0)
    for number, episode in enumerate(episodes.episodes):
        if episode.outcome in counts:
            g = _frames_of(episodes, number)
            counts[episode.outcome] += 1
            colour = GREEN if episode.outcome == "success" else ORANGE
            axes.plot(episodes.progress(g), values[g], color=colour, linewidth=0.9, alpha=0.6)
    for outcome, colour in (("success", GREEN), ("failure", ORANGE)):
        axes.plot([], [], color=colour, label=f"{outcome} ({counts[outcome]})")
    axes.axhline(0, color=GREY, linewidth=0.7)
    axes.set(xlabel="t / T", ylabel="V", title="all episodes")
    axes.legend(fontsize=7)
