"""Control maps: the robot at given joint positions in every view, with all that stands still and no objects.

The paper names explicit geometry as future work (Sec. VI); Genie Envisioner's simulator conditions on projected
trajectories likewise. A world model that is given them has only the objects left to learn.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import SimulationError
from rise_robot.sim.robot import SimulatedRobot


def can_draw(contract: Contract) -> bool:
    """Whether the cell of `contract` is the one that is modelled here: two Piper arms under its three cameras."""
    try:
        SimulatedRobot(contract).close()
    except (SimulationError, KeyError):
        return False
    return True


class ControlMapRenderer:
    """Draws maps of one cell; nominal light.

    Args:
        size: (height, width) of the maps.
    """

    def __init__(self, contract: Contract, size: tuple[int, int], task: str = "brick_sorting") -> None:
        small = tuple(dataclasses.replace(camera, height=size[0], width=size[1]) for camera in contract.cameras)
        self.size, self.cameras = size, contract.camera_names
        self._robot = SimulatedRobot(dataclasses.replace(contract, cameras=small), task)
        self._robot.clear_scene()

    def render(self, joints: np.ndarray) -> np.ndarray:
        """(N, A) joint positions, rad and m of gripper opening -> (N, V, h, w, 3) uint8 RGB."""
        maps = np.empty((len(joints), len(self.cameras), *self.size, 3), np.uint8)
        for number, positions in enumerate(joints):
            self._robot.place(positions)
            images = self._robot.render()
            maps[number] = [images[name] for name in self.cameras]
        return maps

    def close(self) -> None:
        """Free the OpenGL contexts."""
        self._robot.close()
