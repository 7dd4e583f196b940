"""What teleoperation needs of an input device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class InputEvent:
    """A control changed.

    Attributes:
        control: its name, as in Linux' input-event-codes.h: KEY_W, BTN_SOUTH, ABS_X, ...
        value: keys and buttons 1 (pressed) or 0; sticks -1..1; triggers 0..1.
    """

    control: str
    value: float


class InputDevice(Protocol):
    """Evdev devices, a terminal, and the Joy topic are read through this."""

    def poll(self) -> list[InputEvent]:
        """What happened since the last call; never waits.

        Raises:
            TeleoperationError: the device is gone.
        """

    def close(self) -> None:
        """Give the device back."""
