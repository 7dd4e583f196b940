"""Imagined beside real, as images and videos that a person can judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import imageio.v3 as imageio
import numpy as np
from torch import Tensor


def side_by_side(videos: Sequence[Tensor], *, gap: int = 2, scale: int = 1) -> np.ndarray:
    """(F, H', W', 3) uint8: one row per video (F, V, H, W, 3), its views from left to right."""
    rows = []
    for video in videos:
        views = [np.pad(view, ((0, 0), (0, gap), (0, gap), (0, 0))) for view in video.numpy().swapaxes(0, 1)]
        rows.append(np.concatenate(views, axis=2))
    image = np.concatenate(rows, axis=1)
    return image.repeat(scale, axis=1).repeat(scale, axis=2)


def with_value_curve(
    picture: np.ndarray, values: np.ndarray, now: float, frame: int, *, height: int = 48
) -> np.ndarray:
    """(H + height, W, 3) uint8: a frame above the curve of V over its chunk, from -1 to 1, drawn up to that frame.

    Args:
        picture: (H, W, 3) uint8.
        values: (F,) of the imagined frames; `now` of the one before them, drawn as a line.
        frame: number of the picture among them, from 0.
    """
    strip = np.full((height, picture.shape[1], 3), 255, np.uint8)
    curve = np.concatenate([[now], values])
    x = np.linspace(4, picture.shape[1] - 5, len(curve))
    y = (height - 1) * (1.1 - np.clip(curve, -1.1, 1.1)) / 2.2
    points = np.stack([x, y], axis=1).round().astype(np.int32)
    cv2.line(strip, (0, int(points[0, 1])), (picture.shape[1], int(points[0, 1])), (200, 200, 200), 1)
    cv2.polylines(strip, [points], False, (170, 170, 170), 1, cv2.LINE_AA)
    colour = (21, 128, 61) if curve[frame + 1] >= now else (220, 60, 20)
    cv2.polylines(strip, [points[: frame + 2]], False, colour, 2, cv2.LINE_AA)
    cv2.circle(strip, tuple(points[frame + 1].tolist()), 3, colour, -1, cv2.LINE_AA)
    return np.concatenate([picture, strip])


def future_pictures(frames: Tensor, values: np.ndarray, now: float, *, height: int = 144) -> list[np.ndarray]:
    """F images (H, W, 3) uint8 of imagined (F, V, h, w, 3) frames: views side by side above the curve of V up to there.

    Args:
        values, now: see `with_value_curve`.
        height: pixels that a view is enlarged to at least.
    """
    shown = side_by_side([frames], scale=-(-height // frames.shape[2]))
    return [with_value_curve(picture, values, now, i) for i, picture in enumerate(shown)]


def with_caption(picture: np.ndarray, text: str, *, height: int = 20) -> np.ndarray:
    """(height + H, W, 3) uint8: a line of text above a picture (H, W, 3) uint8."""
    strip = np.full((height, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, text, (4, height - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([strip, picture])


def write_video(path: str | Path, frames: np.ndarray, *, fps: float) -> Path:
    """Write (F, H, W, 3) uint8 to .mp4 (H.264, sides padded to even) or .gif, by the path's suffix."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gif":
        imageio.imwrite(path, frames, duration=1000.0 / fps, loop=0)
        return path
    even = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)))
    imageio.imwrite(path, even, fps=fps, codec="libx264", macro_block_size=1)
    return path


def write_strip(path: str | Path, videos: Sequence[Tensor], *, every: int = 4, scale: int = 2) -> Path:
    """One PNG: time from left to right (every n-th frame), below each other the views of each video, in turn."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for view in range(videos[0].shape[1]):
        for video in videos:
            shown = video[every - 1 :: every, view].numpy()
            rows.append(np.concatenate([np.pad(image, ((0, 1), (0, 2), (0, 0))) for image in shown], axis=1))
        rows.append(np.zeros_like(rows[-1][:4]))
    imageio.imwrite(path, np.concatenate(rows).repeat(scale, axis=0).repeat(scale, axis=1))
    return path
