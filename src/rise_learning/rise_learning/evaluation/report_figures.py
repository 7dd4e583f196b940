"""The figures of a report, each as a PNG file in memory."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

matplotlib.use("Agg")
BLUE, ORANGE, GREY, GREEN = "#2563eb", "#ea7317", "#6b7280", "#15803d"
COLOURS = (BLUE, ORANGE, GREEN, "#9333ea", GREY)
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.dpi": 130,
}
CURVES = ("loss", "progress", "td", "auxiliary", "mse", "loss_offline", "loss_online")
"""Metrics that learning curves show, where a training has them."""
THUMBNAILS = 9


def png(figure: Figure) -> bytes:
    """The figure as a file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", bbox_inches="tight")
    return stream.getvalue()


def success_rates(policies: dict[str, dict[str, Any]]) -> bytes:
    """Success rate of every policy with its Wilson interval."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 0.5 + 0.42 * len(policies)))
        axes = figure.subplots()
        for row, found in enumerate(policies.values()):
            low, high = found["wilson95"]
            colour = COLOURS[row % len(COLOURS)]
            axes.plot([low, high], [row, row], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
            axes.plot(found["success_rate"], row, "o", color=colour, markersize=8)
        axes.set(xlim=(0, 1), ylim=(len(policies) - 0.5, -0.5), yticks=range(len(policies)))
        axes.set_yticklabels([name.replace("_", " ") for name in policies])
        axes.set_xlabel("share of episodes that succeeded, 95 % Wilson interval")
        axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
        axes.grid(axis="x", alpha=0.3)
        return png(figure)


def value_over_episode(
    frames: np.ndarray, values: np.ndarray, rate: float, events: list[tuple[int, str]], title: str
) -> bytes:
    """Frames above the value curve, on one time axis.

    Args:
        frames: (F, V, h, w, 3) uint8.
        values: (F,).
        rate: frames per second.
        events: (frame, name) of the rubric.
    """
    with matplotlib.rc_context(STYLE):
        columns = min(THUMBNAILS, len(frames))
        height = frames.shape[1] * frames.shape[2] * 10.0 / (columns * frames.shape[3])
        figure = Figure(figsize=(10, 1.9 + height))
        above, below = figure.subplots(2, 1, height_ratios=(height, 1.6), gridspec_kw={"hspace": 0.06})
        end = max(1, len(frames) - 1) / rate
        middles = ((np.arange(columns) + 0.5) / columns * (len(frames) - 1)).round().astype(int)
        above.imshow(strip(frames[middles]), extent=(0, end, 0, 1), aspect="auto", interpolation="nearest")
        above.set_axis_off()
        above.set_title(title)
        below.plot(np.arange(len(values)) / rate, values, color=BLUE, linewidth=1.8)
        below.plot(middles / rate, values[middles], "o", color=BLUE, markersize=4)
        below.axhline(0, color=GREY, linewidth=0.7)
        for number, (frame, name) in enumerate(events):
            below.axvline(frame / rate, color=ORANGE, linewidth=1)
            place = 0.04 + 0.14 * (number % 2)
            below.text(frame / rate, place, f" {name}", color=ORANGE, transform=below.get_xaxis_transform(), fontsize=8)
        low, high = min(-0.25, float(values.min())), max(1.0, float(values.max()))
        below.set(xlim=(0, end), ylim=(low - 0.1, high + 0.1), xlabel="s", ylabel="value")
        return png(figure)


def strip(frames: np.ndarray) -> np.ndarray:
    """(N, V, h, w, 3) -> one image, time from left to right, views below each other, with white seams."""
    padded = np.pad(frames, ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0)), constant_values=255)
    rows = [np.concatenate(list(padded[:, view]), axis=1) for view in range(frames.shape[1])]
    return np.concatenate(rows)


def ranking(report: dict[str, Any]) -> bytes:
    """How often the expert's chunk ranks above a corrupted one, by kind."""
    kinds = [kind for kind in report["by_kind_true_frames"] if report["by_kind_true_frames"][kind]["pairs"]]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.9 + 0.45 * (len(kinds) + 1)))
        axes = figure.subplots()
        for name, colour, offset in (("true_frames", GREY, -0.14), ("imagined", BLUE, 0.14)):
            found = [report[f"by_kind_{name}"][kind] for kind in kinds]
            rates = [report[f"advantage_auc_{name}"], *(one["rate"] for one in found)]
            bounds = np.array([report[f"interval95_{name}"], *(one["interval95"] for one in found)])
            rows = np.arange(len(rates)) + offset
            axes.hlines(rows, bounds[:, 0], bounds[:, 1], color=colour, linewidth=4, alpha=0.35)
            axes.plot(rates, rows, "o", color=colour, markersize=6, label=f"Eq. 2 on {name.replace('_', ' ')}")
        pairs = [report["pairs_that_differ"], *(report["by_kind_imagined"][kind]["pairs"] for kind in kinds)]
        labels = [f"{kind.replace('_', ' ')} ({n})" for kind, n in zip(["all", *kinds], pairs, strict=True)]
        axes.set_yticks(range(len(labels)), labels)
        axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle="--")
        axes.set(xlim=(0, 1.02), ylim=(len(labels) - 0.5, -0.5))
        axes.set_xlabel("share of pairs in which the expert's chunk ranks higher (.5 is chance); number of pairs in ()")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)
        axes.grid(axis="x", alpha=0.3)
        return png(figure)


def advantage_histograms(
    offline: list[int] | None, imagined: list[int] | None, compared: dict[str, np.ndarray] | None
) -> bytes:
    """Labels per bin of recorded rollouts and of imagined chunks, and imagined advantages by what they lead to.

    Args:
        offline, imagined: chunks per bin, bin 1 first.
        compared: name -> advantages from the same held-out states.
    """
    panels = [part for part in (offline, imagined, compared) if part]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5 * max(1, len(panels)), 2.6), layout="constrained")
        columns = iter(np.atleast_1d(figure.subplots(1, max(1, len(panels)))))
        if offline:
            _bars(next(columns), offline, GREY, f"offline labels of rollouts ({sum(offline)})")
        if imagined:
            _bars(next(columns), imagined, BLUE, f"imagined chunks ({sum(imagined)})")
        if compared:
            axes = next(columns)
            edges = np.histogram_bin_edges(np.concatenate(list(compared.values())), 24)
            for (name, values), colour in zip(compared.items(), (GREEN, ORANGE), strict=False):
                axes.hist(values, edges, density=True, color=colour, alpha=0.55, label=f"{name} ({len(values)})")
            axes.set(title="Eq. 2 on imagined frames", xlabel="advantage", yticks=[])
            axes.legend(fontsize=8)
        return png(figure)


def _bars(axes: Axes, counts: list[int], colour: str, title: str) -> None:
    numbers = np.arange(1, len(counts) + 1)
    axes.bar(numbers, np.array(counts) / max(1, sum(counts)), color=colour, width=0.85)
    axes.set(title=title, xlabel="advantage bin", xticks=numbers)
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, decimals=0))


def learning_curves(stages: dict[str, list[dict[str, float]]]) -> bytes:
    """One panel per training: its losses over steps."""
    with matplotlib.rc_context(STYLE):
        rows = -(-len(stages) // 3)
        figure = Figure(figsize=(10.5, 2.7 * rows), layout="constrained")
        grid = figure.subplots(rows, 3, squeeze=False).ravel()
        for axes in grid[len(stages) :]:
            axes.set_axis_off()
        for axes, (name, lines) in zip(grid, stages.items(), strict=False):
            for metric, colour in zip((m for m in CURVES if m in lines[-1]), COLOURS * 2, strict=False):
                points = [(line["step"], line[metric]) for line in lines if metric in line]
                axes.plot(*zip(*points, strict=True), color=colour, label=metric, linewidth=1.3)
            axes.set(title=name.replace("_", " "), xlabel="step", yscale="log")
            axes.legend(fontsize=7)
            axes.grid(alpha=0.25)
        return png(figure)
