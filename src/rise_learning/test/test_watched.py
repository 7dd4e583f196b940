"""Videos of what self-improvement is told: the best and the worst chunk of a state, with their advantages."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import torch

from rise_learning.rl.imagination import Imagined, Starts
from rise_learning.rl.watched import Watched

FRAMES = 6


class Shades:
    """Every chunk becomes grey, as light as its first command says, and is worth as much."""

    def __init__(self, render: bool = True) -> None:
        self.render = render

    def imagine(self, starts: Starts, chunks: torch.Tensor, seed: int) -> Imagined:
        worth = chunks[:, 0, 0]
        shade = (200 * worth).to(torch.uint8)[:, None, None, None, None, None]
        frames = shade.expand(-1, FRAMES, 2, 48, 64, 3) if self.render else torch.empty(len(chunks), 0)
        return Imagined(frames, worth[:, None].repeat(1, FRAMES).numpy(), value_now=np.zeros(len(chunks)))


def starts_of(states: list[float]) -> Starts:
    context = torch.zeros(len(states), 4, 2, 48, 64, 3, dtype=torch.uint8)
    return Starts(context, torch.tensor(states)[:, None], ["go"] * len(states))


def imagined(watched: Watched, states: list[float], worth: list[float]) -> None:
    watched.imagine(starts_of(states), torch.tensor(worth)[:, None, None].repeat(1, 4, 1), 0)


def shades_of(path: Path) -> list[float]:
    """Grey of the two chunks in the middle of the last picture, the upper one first."""
    picture = imageio.imread(path)[-1].astype(float)
    upper, lower = np.array_split(picture, 2)
    return [float(half[60:100, 20:100].mean()) / 200 for half in (upper, lower)]


def test_the_state_whose_chunks_differ_most_is_shown_best_above_worst(tmp_path: Path) -> None:
    watched = Watched(Shades(), 0)  # type: ignore[arg-type]
    watched.watch()
    imagined(watched, [0.0, 1.0, 2.0], [0.9, 0.1, 0.5])  # one chunk a state: kept until there is better
    imagined(watched, [0.0, 0.0, 1.0, 1.0], [1.0, 0.9, 0.2, 0.8])
    imagined(watched, [0.0, 0.0], [0.0, 1.0])  # too late
    watched.write(tmp_path / "step.mp4", fps=15)
    np.testing.assert_allclose(shades_of(tmp_path / "step.mp4"), [0.8, 0.2], atol=0.03)
    assert len(imageio.imread(tmp_path / "step.mp4")) == FRAMES


def test_chunks_of_different_states_are_compared_where_nothing_else_is(tmp_path: Path) -> None:
    """As the paper imagines: one chunk from each state."""
    watched = Watched(Shades(), 0)  # type: ignore[arg-type]
    watched.watch()
    imagined(watched, [0.0, 1.0, 2.0], [0.5, 0.1, 0.9])
    watched.write(tmp_path / "step.mp4", fps=15)
    np.testing.assert_allclose(shades_of(tmp_path / "step.mp4"), [0.9, 0.1], atol=0.03)


def test_a_video_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As on a full disk: the training goes on."""
    (tmp_path / "imagined").write_text("a file where the directory would be")
    watched = Watched(Shades(), 0)  # type: ignore[arg-type]
    watched.watch()
    imagined(watched, [0.0, 0.0], [0.0, 1.0])
    watched.write(tmp_path / "imagined" / "step.mp4", fps=15)
    assert "step.mp4 is not written" in caplog.text


def test_nothing_is_written_unasked_or_where_nothing_was_rendered(tmp_path: Path) -> None:
    watched = Watched(Shades(), 0)  # type: ignore[arg-type]
    imagined(watched, [0.0, 0.0], [0.0, 1.0])
    blind = Watched(Shades(render=False), 0)  # type: ignore[arg-type]
    blind.watch()
    imagined(blind, [0.0, 0.0], [0.0, 1.0])
    for each in (watched, blind):
        each.write(tmp_path / "step.mp4", fps=15)
    assert not list(tmp_path.iterdir())
