"""Made-up recordings in DROID's format: a coloured block that moves with the first joint."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 192, 320
HOME = np.array([0.0, -0.4, 0.0, -2.3, 0.0, 2.0, 0.1])
EPISODES = {"train": {"0": 1, "1": 1, "2": 0, "10": 0}, "val": {"7": 1, "8": 0}}
"""Split -> id -> success."""


def write_recordings(root: Path, *, frames: int = 20) -> Path:
    """All of EPISODES, `frames` pictures each; the last picture has one control step, as real ones may."""
    number = 0
    for split, episodes in EPISODES.items():
        for name, success in episodes.items():
            write_recording(root, split, name, success=success, frames=frames, seed=number)
            number += 1
    return root


def write_recording(root: Path, split: str, name: str, *, success: int, frames: int, seed: int) -> None:
    """One episode: annotation and three videos."""
    rng = np.random.default_rng(seed)
    steps = 3 * frames - 2
    swing = 0.8 * np.sin(np.linspace(0, 3 + rng.uniform(), steps))
    state = HOME + np.outer(swing, [1.0, 0.2, 0.1, 0.1, 0.0, 0.0, 0.3])
    closed = np.linspace(0, 1, steps)
    annotation = {
        "texts": ["push the block" if success else ""],
        "episode_id": seed,
        "success": success,
        "observation.state.joint_position": state.tolist(),
        "observation.state.gripper_position": (0.7 * closed).tolist(),
        "action.joint_position": (state + 0.02).tolist(),
        "action.gripper_position": closed.tolist(),
    }
    path = root / "annotation" / split / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(annotation))
    background = cv2.resize(rng.integers(0, 256, (6, 10, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    for view in range(3):
        pictures = []
        for at in swing[::3]:
            picture = np.roll(background, 40 * view, axis=1)
            column = int(WIDTH / 2 + 90 * at)
            picture[80:120, column - 20 : column + 20] = (0, 0, 255)  # BGR: red
            pictures.append(picture)
        write_video(root / "videos" / split / name / f"{view}.mp4", pictures)


def write_video(path: Path, pictures: list[np.ndarray], rate: float = 5.0) -> None:
    """MPEG-4 of (H, W, 3) uint8 BGR pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pictures[0].shape[:2]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height))
    for picture in pictures:
        video.write(picture)
    video.release()
