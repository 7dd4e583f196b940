"""Draw the pictures of docs/tasks.md: each task at three moments of an expert's episode, from every camera.

    python scripts/task_pictures.py docs/images

A row is a moment; from left to right the presentation camera, the top camera and the two wrist cameras. The latter
three are what a policy sees at 192 x 256.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.cell import PRESENTATION
from rise_robot.sim.experts import make_expert
from rise_robot.sim.rendering import CameraRenderer
from rise_robot.sim.robot import SimulatedRobot

MOMENTS = {
    "brick_sorting": (1.0, 2.6, 4.2),
    "backpack_packing": (5.2, 11.0, 16.2),
    "box_closing": (3.9, 7.8, 14.0),
}
"""s of simulated time."""
SEED = 1001
VIEWS = ("top", "wrist_left", "wrist_right")
HEIGHT, WIDTH = 192, 256
COLOURS = 96
"""Of the palette of a picture."""


def main(directory: str) -> None:
    Path(directory).mkdir(parents=True, exist_ok=True)
    for task, moments in MOMENTS.items():
        framed = [
            [np.pad(view, ((1, 1), (1, 1), (0, 0)), constant_values=255) for view in row]
            for row in moments_of(task, moments)
        ]
        picture = np.vstack([np.hstack(row) for row in framed])
        path = Path(directory) / f"{task}.png"
        cv2.imwrite(str(path), cv2.cvtColor(few_colours(picture), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
        print(f"{path}: {path.stat().st_size // 1000} kB")


def moments_of(task: str, moments: tuple[float, ...]) -> list[list[np.ndarray]]:
    """(H, W, 3) uint8 RGB of every camera, per moment."""
    robot = SimulatedRobot(Contract.load(config_path("contract.yaml")), task)
    cell = CameraRenderer(robot.task.model, {PRESENTATION: (2 * HEIGHT, 2 * WIDTH)})
    robot.reset(SEED)
    expert, rows = make_expert(robot), []
    for moment in moments:
        while robot.time < moment and robot.outcome == "running":
            robot.step(expert.action())
        shown = cv2.resize(cell.render(robot.task.data, PRESENTATION), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        seen = robot.render(VIEWS)
        rows.append([shown, *(seen[name] for name in VIEWS)])
    robot.close()
    cell.close()
    return rows


def few_colours(image: np.ndarray) -> np.ndarray:
    """The nearest of COLOURS colours for every pixel: smaller files."""
    pixels = image.reshape(-1, 3).astype(np.float32)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 8, 1.0)
    _, _, centres = cv2.kmeans(pixels[::37].copy(), COLOURS, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    labels = np.concatenate(
        [((block[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1) for block in np.array_split(pixels, 64)]
    )
    return centres.round().astype(np.uint8)[labels].reshape(image.shape)


if __name__ == "__main__":
    main(sys.argv[1])
