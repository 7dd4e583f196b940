"""Off-screen rendering without a display: EGL, else OSMesa, in the fast profile (no shadows, no multisampling).

Import this module before `mujoco`: it chooses MUJOCO_GL, which mujoco reads once. A MUJOCO_GL that the user set
is left alone.
"""

from __future__ import annotations

import ctypes.util
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rise_robot.core.errors import SimulationError

HELP = (
    "off-screen OpenGL is not available, so the cameras cannot be rendered. Install one of\n"
    "  sudo apt-get install libegl1 libopengl0 libgl1-mesa-dri   (MUJOCO_GL=egl)\n"
    "  sudo apt-get install libosmesa6                           (MUJOCO_GL=osmesa)"
)


def choose_backend() -> str | None:
    """Set MUJOCO_GL to egl or osmesa, whichever library exists, unless it is set; returns the choice.

    None means that neither exists; MUJOCO_GL is then `disable`, physics works and rendering raises.
    """
    if "MUJOCO_GL" not in os.environ:
        if ctypes.util.find_library("EGL") and ctypes.util.find_library("OpenGL"):
            os.environ["MUJOCO_GL"] = "egl"
        elif ctypes.util.find_library("OSMesa"):
            os.environ["MUJOCO_GL"] = "osmesa"
        else:
            os.environ["MUJOCO_GL"] = "disable"
    choice = os.environ["MUJOCO_GL"]
    return None if choice == "disable" else choice


BACKEND = choose_backend()
os.environ.setdefault("LP_NUM_THREADS", "0")  # Mesa's software renderer: for small frames its threads cost a third more

try:
    import mujoco  # after MUJOCO_GL is chosen
except Exception as error:  # a MUJOCO_GL without its library fails in several ways, AttributeError among them
    raise SimulationError(f"{HELP}\n(importing mujoco with MUJOCO_GL={os.environ['MUJOCO_GL']}: {error})") from error

if TYPE_CHECKING:
    from mujoco import MjData, MjModel, Renderer

_FLAGS_OFF = ("mjRND_SHADOW", "mjRND_REFLECTION", "mjRND_SKYBOX", "mjRND_HAZE", "mjRND_FOG")


class CameraRenderer:
    """Renders cameras of a model; the OpenGL context is made on the first frame, one per image size.

    Args:
        sizes: (height, width) by name of the camera.
    """

    def __init__(self, model: MjModel, sizes: Mapping[str, tuple[int, int]]) -> None:
        self._model, self._sizes = model, dict(sizes)
        self._renderers: dict[tuple[int, int], Renderer] = {}

    def render(self, data: MjData, name: str) -> np.ndarray:
        """(H, W, 3) uint8 RGB of camera `name`. Raises SimulationError without OpenGL or for an unknown name."""
        if name not in self._sizes:
            raise SimulationError(f"unknown camera {name!r}; there are {list(self._sizes)}")
        renderer = self._renderer(*self._sizes[name])
        renderer.update_scene(data, camera=name)
        for flag in _FLAGS_OFF:
            renderer.scene.flags[getattr(mujoco.mjtRndFlag, flag)] = 0
        return renderer.render()

    def close(self) -> None:
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _renderer(self, height: int, width: int) -> Renderer:
        size = (height, width)
        if size not in self._renderers:
            try:
                self._renderers[size] = mujoco.Renderer(self._model, height=height, width=width)
            except Exception as error:  # mujoco raises several kinds, from ImportError to FatalError
                raise SimulationError(f"{HELP}\n(MUJOCO_GL={os.environ['MUJOCO_GL']}: {error})") from error
        return self._renderers[size]
