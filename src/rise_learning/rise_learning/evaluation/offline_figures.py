"""One picture for a report on recorded episodes: PSNR, value over the episodes, action error over the chunk."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.evaluation.report_figures import BLUE, COLOURS, GREEN, GREY, ORANGE, STYLE, png

VIDEOS = {
    "psnr": ("imagined", BLUE),
    "psnr_shuffled_actions": ("other actions", ORANGE),
    "psnr_copy_last": ("last frame repeated", GREY),
    "codec_psnr": ("codec alone", GREEN),
}


def offline_figure(report: dict[str, Any], values: np.ndarray, episodes: EpisodeSet) -> bytes:
    """PNG file of the three parts of an offline report.

    Args:
        values: (N,) V of every frame of `episodes`.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(13, 3.6), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        _psnr(left, report["dynamics"])
        _values(middle, values, episodes)
        _errors(right, report["policies"].get("all", {}), episodes)
        return png(figure)


def _psnr(axes: Axes, figures: dict[str, Any]) -> None:
    axes.set_title(f"Dynamics, {figures['chunks']} chunks of {figures['episodes']} episodes not trained on")
    if not figures["chunks"]:
        return
    for row, (name, (label, colour)) in enumerate(VIDEOS.items()):
        for group, suffix in enumerate(("", "_moving")):
            axes.bar(group + 0.2 * row, figures[name + suffix], 0.18, color=colour, label=None if group else label)
    axes.set(ylabel="PSNR, dB", xticks=[0.3, 1.3], xticklabels=["all pixels", "what moves"])
    axes.legend(fontsize=7)


def _values(axes: Axes, values: np.ndarray, episodes: EpisodeSet) -> None:
    axes.set_title("Value over the episodes")
    for number, episode in enumerate(episodes.episodes):
        g = np.arange(episodes.first_frame[number], episodes.last_frame[number] + 1)
        colour = {"success": GREEN, "failure": ORANGE}.get(episode.outcome, GREY)
        axes.plot(episodes.progress(g), values[g], color=colour, linewidth=1.2)
    for label, colour in (("success", GREEN), ("failure", ORANGE)):
        axes.plot([], [], color=colour, label=label)
    axes.set(xlabel="t / T", ylabel="V")
    axes.legend(fontsize=7)


def _errors(axes: Axes, figures: dict[str, Any], episodes: EpisodeSet) -> None:
    axes.set_title("Open-loop error of commanded angles")
    contract = episodes.contract
    period = contract.actions_per_frame / contract.control_rate_hz
    policies = [name for name in figures if isinstance(figures[name], dict)]
    for row, name in enumerate(policies):
        curve = figures[name].get("mean_rad_by_frame", [])
        colour = GREY if name == "holding_still" else COLOURS[row]
        axes.plot((1 + np.arange(len(curve))) * period, curve, color=colour, label=name.replace("_", " "))
    axes.set(xlabel="time from now, s", ylabel="mean absolute error, rad")
    if policies:
        axes.legend(fontsize=7)
