"""Control maps: the robot at given joint positions in every view, with all that stands still and no objects.

The paper names explicit geometry as future work (Sec. VII); Genie Envisioner's simulator conditions on projected
trajectories likewise. A world model that is given them has only the objects left to learn.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rise_robot.core.cell import JOINTS_PER_ARM
from rise_robot.core.contract import Contract
from rise_robot.core.errors import SimulationError
from rise_robot.core.images import resize_frame
from rise_robot.sim.carried import Fingers, held_box, whereabouts
from rise_robot.sim.cell import ARMS
from rise_robot.sim.last_seen import Shot, Sighting
from rise_robot.sim.object_boxes import ObjectBox, draw_boxes, found_boxes
from rise_robot.sim.robot import SimulatedRobot

BELT_AXIS = np.array([-1.0, 0.0, 0.0])
"""Of the world, along which belts run: towards the robot."""


def can_draw(contract: Contract) -> bool:
    """Whether the cell of `contract` is the one that is modelled here: two Piper arms under its three cameras."""
    try:
        SimulatedRobot(contract).close()
    except (SimulationError, KeyError):
        return False
    return True


class ControlMapRenderer:
    """Draws maps of one cell, as its cameras would show it, scaled as recorded frames are; nominal light.

    Drawn at their own size maps are half as bright where lines are thinner than a pixel, or lack them altogether.

    Args:
        size: (height, width) of the maps.
    """

    def __init__(self, contract: Contract, size: tuple[int, int], task: str = "brick_sorting") -> None:
        self.size, self.cameras = size, contract.camera_names
        self._robot = SimulatedRobot(contract, task)
        self._robot.clear_scene()

    def render(self, joints: np.ndarray) -> np.ndarray:
        """(N, A) joint positions, rad and m of gripper opening -> (N, V, h, w, 3) uint8 RGB."""
        maps = np.empty((len(joints), len(self.cameras), *self.size, 3), np.uint8)
        for number, positions in enumerate(joints):
            self._robot.place(positions)
            images = self._robot.render()
            maps[number] = [resize_frame(images[name], self.size) for name in self.cameras]
        return maps

    def with_objects(
        self,
        path: np.ndarray,
        shown: np.ndarray,
        seen: np.ndarray,
        period: float,
        belt_speed: float,
        size: np.ndarray | None = None,
    ) -> np.ndarray:
        """Maps with the objects of a picture, where the belt will have brought them.

        Args:
            path: (T, A) joint positions at equal periods, rad and m, at the first of which the picture was taken.
            shown: (N,) which of them maps are drawn of.
            seen: (V, h, w, 3) uint8, the picture.
            period: s.
            belt_speed: m/s, along `BELT_AXIS`.
            size: (3,) m, of the objects, along the world's axes, where it is known.

        Returns:
            (N, V, h, w, 3) uint8 RGB, in the light of `seen`. Objects of known size are boxes (`object_boxes`), which
            fingers carry along (`carried`); of others a camera shows the pictures that the first camera has seen, and
            over them those that it has seen itself.
        """
        maps = np.empty((len(shown), *seen.shape), np.uint8)
        drawn = self.shots(np.concatenate([path[:1], path[shown]]))
        sightings = [Sighting(*each) for each in zip(next(drawn), seen, strict=True)]
        ways = [] if size is None else self._ways(path, sightings, size, period * belt_speed * BELT_AXIS)
        for number, (at, shots) in enumerate(zip(shown, drawn, strict=True)):
            for view, (target, sighting) in enumerate(zip(shots, sightings, strict=True)):
                maps[number, view] = np.clip(target.image * sighting.gain, 0, 255)
                if size is not None:
                    draw_boxes(maps[number, view], target, [way[at] for way in ways])
                    continue
                for one in dict.fromkeys((0, view)):
                    travelled = at * period * belt_speed * BELT_AXIS
                    sightings[one].paint(maps[number, view], target, self.belt_height, travelled)
        return maps

    def _ways(
        self, path: np.ndarray, sightings: list[Sighting], size: np.ndarray, step: np.ndarray
    ) -> list[list[ObjectBox]]:
        """Every object that is seen at the first of (T, A) joint positions, at all of them."""
        hands = self.hands(path)
        beside = [sightings[self.cameras.index(f"wrist_{arm}")] for arm in ARMS]
        holding = (held_box(*pair, size, self.belt_height) for pair in zip(hands, beside, strict=True))
        held = [box for box in holding if box is not None]
        boxes = [*held, *found_boxes(sightings, size, self.belt_height, held)]
        return [whereabouts(box, hands, step, self.belt_height) for box in boxes]

    def hands(self, path: np.ndarray) -> list[Fingers]:
        """Where the fingers of both arms are at (T, A) joint positions."""
        poses = []
        for positions in path:
            self._robot.place(positions)
            poses.append([self._robot.tool_pose(arm) for arm in ARMS])
        openings = path[:, JOINTS_PER_ARM - 1 :: JOINTS_PER_ARM]
        hands = []
        for way, opening in zip(zip(*poses, strict=True), openings.T, strict=True):
            points, axes = zip(*way, strict=True)
            hands.append(Fingers(np.stack(points), np.stack(axes), opening))
        return hands

    def shots(self, joints: np.ndarray) -> Iterator[list[Shot]]:
        """What the cameras would show of the cell without objects, for each of (N, A) joint positions.

        What does not move is drawn once.
        """
        before: np.ndarray | None = None
        for positions in joints:
            if before is None or not np.array_equal(positions, before):
                self._robot.place(positions)
                shots = [self._robot.shot(name).resized(self.size) for name in self.cameras]
            before = positions
            yield shots

    @property
    def belt_height(self) -> float:
        """Height of the belt, m; 0 in a cell without one."""
        return self._robot.belt_height

    def close(self) -> None:
        """Free the OpenGL contexts."""
        self._robot.close()
