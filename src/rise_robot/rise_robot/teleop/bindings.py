"""What each control of an input device does (config/teleop_bindings.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from rise_robot.core.errors import TeleoperationError
from rise_robot.teleop.devices import InputEvent

MOTIONS = ("x", "y", "z", "roll", "pitch", "yaw", "grip")
ACTIONS = (
    "take_over",
    "hand_back",
    "hold",
    "emergency_stop",
    "switch_arm",
    "start_episode",
    "success",
    "failure",
    "discard",
)
DEAD_ZONE = 0.1
"""Of sticks, which never rest exactly in the middle."""


class Bindings:
    """Follows the events of one device.

    Args:
        bound: control -> a motion with its sign ("x+", "yaw-") or an action.

    Raises:
        TeleoperationError: something is bound to nothing that exists, or no emergency stop is bound.
    """

    def __init__(self, bound: Mapping[str, str]) -> None:
        self._motions: dict[str, tuple[int, float]] = {}
        self._actions: dict[str, str] = {}
        for control, what in bound.items():
            if what in ACTIONS:
                self._actions[control] = what
            elif what[:-1] in MOTIONS and what[-1] in "+-":
                self._motions[control] = MOTIONS.index(what[:-1]), 1.0 if what[-1] == "+" else -1.0
            else:
                known = f"{', '.join(ACTIONS)}, and with + or - {', '.join(MOTIONS)}"
                raise TeleoperationError(f"{control} is bound to {what!r}; known are {known}")
        if "emergency_stop" not in self._actions.values():
            raise TeleoperationError("no control is bound to emergency_stop")
        self._values: dict[str, float] = {}

    def feed(self, event: InputEvent) -> str | None:
        """Take an event; the action that it asks for, once per press."""
        before = self._values.get(event.control, 0.0)
        self._values[event.control] = event.value
        pressed = event.value >= 0.5 > before
        return self._actions.get(event.control) if pressed else None

    def release(self) -> None:
        """Nothing is pressed any more: the device is gone."""
        self._values.clear()

    def motion(self) -> np.ndarray:
        """(7,) along MOTIONS, each -1..1."""
        motion = np.zeros(len(MOTIONS))
        for control, (index, sign) in self._motions.items():
            value = self._values.get(control, 0.0)
            if abs(value) > DEAD_ZONE:
                motion[index] += sign * np.sign(value) * (abs(value) - DEAD_ZONE) / (1.0 - DEAD_ZONE)
        return np.clip(motion, -1.0, 1.0)

    def describe(self) -> str:
        """One line for the log: who does what."""
        of_motion = {control: f"{MOTIONS[i]}{'+' if sign > 0 else '-'}" for control, (i, sign) in self._motions.items()}
        return ", ".join(f"{control} {what}" for control, what in (of_motion | self._actions).items())

    @classmethod
    def load(cls, path: str | Path, device: str) -> Bindings:
        """The bindings of a kind of device. Raises TeleoperationError naming the file."""
        try:
            raw = yaml.safe_load(Path(path).read_text())
            bound = {str(control): str(what) for control, what in raw[device].items()}
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise TeleoperationError(f"{path} has no bindings of {device!r}: {type(error).__name__} {error}") from error
        return cls(bound)
