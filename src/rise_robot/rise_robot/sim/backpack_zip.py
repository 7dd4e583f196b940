"""The zip of the backpack: what its slider has passed is drawn together, and it jams where the mouth does not close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rise_robot.sim.backpack_scene import BAG_Y, CLOSED, MOUTHS, STRIPS, ZIP_Y, strip_name

if TYPE_CHECKING:
    from mujoco import MjData, MjModel

JAM = 0.22
"""rad; where a strip behind the slider stays this far from closed, something is caught and the slider stops."""
_ENDS = np.linspace(-BAG_Y, BAG_Y, STRIPS + 1)


class Zip:
    """Switches the strips' constraints and the slider's range by where the slider is; keeps nothing itself.

    `closing` is the sign of y towards which the zip closes; its slider starts at the other end.
    """

    def __init__(self, model: MjModel, data: MjData) -> None:
        self._model, self._data = model, data
        self._slider, self._puller = model.joint("puller"), model.joint("puller").qposadr[0]
        names = [[strip_name(mouth, i) for mouth in MOUTHS] for i in range(STRIPS)]
        self._angles = np.array([[model.joint(name).qposadr[0] for name in pair] for pair in names])  # (STRIPS, 2)
        self._constraints = np.array([[model.equality(name).id for name in pair] for pair in names])  # (STRIPS, 2)

    def open(self, closing: float) -> None:
        """Put the slider to the start; it closes towards the sign `closing` of y."""
        self._data.qpos[self._puller] = -closing * ZIP_Y
        self._data.eq_active[self._constraints] = 0
        self._slider.range[:] = (-ZIP_Y, ZIP_Y)

    def progress(self, closing: float) -> float:
        """0 open to 1 closed."""
        return float(np.clip(0.5 + closing * self._data.qpos[self._puller] / (2 * ZIP_Y), 0.0, 1.0))

    def passed(self, closing: float) -> np.ndarray:
        """(STRIPS,) bool: the slider is at least in the middle of the strip, or beyond."""
        middles = (_ENDS[:-1] + _ENDS[1:]) / 2
        at = self._data.qpos[self._puller]
        # At its start the slider rests beyond the middle of the first strip, which is nevertheless open.
        return (closing * (at - middles) >= 0.0) & (self.progress(closing) > 0.06)

    def jammed(self, closing: float) -> bool:
        """Whether a strip that the slider has passed does not close."""
        return bool(self._caught(closing).any())

    def _caught(self, closing: float) -> np.ndarray:
        """(STRIPS,) bool: passed by the slider, and open nevertheless."""
        gap = (CLOSED - self._data.qpos[self._angles]).max(axis=1)
        return self.passed(closing) & (gap > JAM)

    def update(self, closing: float) -> None:
        """Once per control period, before physics: draw strips together, and stop the slider where it jams."""
        self._data.eq_active[self._constraints] = self.passed(closing)[:, None]
        caught = self._caught(closing)
        ends = closing * (_ENDS[1:] if closing > 0 else _ENDS[:-1])  # as the slider goes, where each strip is left
        limit = min(float(ends[caught].min(initial=ZIP_Y)), ZIP_Y)
        self._slider.range[:] = (-ZIP_Y, limit) if closing > 0 else (-limit, ZIP_Y)
