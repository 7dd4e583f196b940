"""What tasks do with free bodies: put them somewhere, light them, and see which gripper touches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rise_robot.sim.cell import ARMS

if TYPE_CHECKING:
    from mujoco import MjData, MjModel

HIDDEN_X = -3.0  # m; behind the arms, seen by no camera
_GRIPPER_BITS = 4


def place(data: MjData, joint: str, position: tuple[float, ...], yaw: float = 0.0) -> None:
    """Put the free body of `joint` at (3,) m, upright and turned by `yaw` (rad), at rest."""
    data.joint(joint).qpos[:] = (*position, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2))
    data.joint(joint).qvel[:] = 0.0


def hide(data: MjData, joints: Iterable[str]) -> None:
    """Put free bodies where no camera sees them."""
    for i, joint in enumerate(joints):
        place(data, joint, (HIDDEN_X, float(i), 0.2))


class SceneLight:
    """All lights of a model, to be made brighter or darker together."""

    def __init__(self, model: MjModel) -> None:
        self._model = model
        self._nominal = {name: getattr(model, name).copy() for name in ("light_diffuse", "light_ambient")}

    def set(self, factor: float) -> None:
        for name, values in self._nominal.items():
            getattr(self._model, name)[:] = values * factor


@dataclass(frozen=True)
class Touch:
    """`held_by`: the arm whose two fingers both touch, or ""; `touched`: by any part of a gripper."""

    held_by: str
    touched: bool


class GripperTouch:
    """Which gripper touches which thing.

    Args:
        things: names of geoms by name of the thing.
    """

    def __init__(self, model: MjModel, things: Mapping[str, Iterable[str]]) -> None:
        # Bit 1 and 2: the fingers of the left arm, 4 and 8 of the right, 16 any part of a gripper.
        self._bit = np.where(model.geom_contype == _GRIPPER_BITS, 16, 0)
        for n, (arm, side) in enumerate((arm, side) for arm in ARMS for side in "ab"):
            self._bit[model.geom(f"{arm}_pad_{side}").id] |= 1 << n
        self._things = {
            thing: np.isin(np.arange(model.ngeom), [model.geom(g).id for g in geoms]) for thing, geoms in things.items()
        }

    def read(self, data: MjData) -> dict[str, Touch]:
        """By thing, from the contacts of a forwarded state."""
        pairs = data.contact.geom  # (ncon, 2)
        found = {}
        for thing, mine in self._things.items():
            bits = int(np.bitwise_or.reduce(self._bit[pairs[mine[pairs].any(axis=1)]], axis=None))
            held_by = "left" if bits & 3 == 3 else "right" if bits & 12 == 12 else ""
            found[thing] = Touch(held_by, bool(bits & 16))
        return found
