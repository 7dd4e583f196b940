"""How fast a belt carries objects, from recorded pictures of the camera that does not move."""

from __future__ import annotations

import numpy as np

from rise_robot.sim.control_maps import BELT_AXIS, ControlMapRenderer
from rise_robot.sim.last_seen import Sighting

SPEEDS = np.linspace(-0.3, 0.3, 121)
"""m/s that are compared."""


def fitted_belt_speed(renderer: ControlMapRenderer, joints: np.ndarray, pictures: np.ndarray, seconds: float) -> float:
    """The speed in m/s along `BELT_AXIS` with which the earlier of two pictures explains the later one best.

    Where belts ran at several speeds it is one that lies between them.

    Args:
        joints: (N, 2, A) positions, rad and m, at which two pictures were taken one after the other.
        pictures: (N, 2, V, h, w, 3) uint8; the first view is used.
        seconds: between the two.
    """
    errors = np.zeros(len(SPEEDS))
    for positions, (before, after) in zip(joints, pictures[:, :, 0], strict=True):
        then, now = (shots[0] for shots in renderer.shots(positions))
        sighting = Sighting(then, before)
        empty = np.clip(now.image * sighting.gain, 0, 255).astype(np.uint8)
        for number, speed in enumerate(SPEEDS):
            shown = empty.copy()
            sighting.paint(shown, now, renderer.belt_height, seconds * speed * BELT_AXIS)
            errors[number] += np.abs(shown[now.belt].astype(int) - after[now.belt]).sum()
    return float(SPEEDS[errors.argmin()])
