"""Gamepads and keyboards of Linux: `struct input_event` from /dev/input/event*, or from a pipe that somebody feeds.

Reading a device needs membership of the group `input`.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from rise_robot.core.errors import TeleoperationError
from rise_robot.teleop.devices import InputEvent

EVENT = struct.Struct("@llHHi")  # seconds, microseconds, type, code, value
ABS_INFO = struct.Struct("@6i")  # value, minimum, maximum, fuzz, flat, resolution
EV_KEY, EV_ABS = 1, 3
EVIOCGABS = 0x80184540  # _IOR('E', 0x40 + axis, struct input_absinfo)
DEFAULT_RANGE = (-32768, 32767)  # of a pipe, which cannot be asked

SYN_DROPPED = (0, 3)
"""Type and code of the event that says that others were lost."""
_LETTERS = {16: "QWERTYUIOP", 30: "ASDFGHJKL", 44: "ZXCVBNM", 2: "1234567890"}
KEYS = {first + i: f"KEY_{letter}" for first, row in _LETTERS.items() for i, letter in enumerate(row)}
KEYS |= {1: "KEY_ESC", 14: "KEY_BACKSPACE", 15: "KEY_TAB", 28: "KEY_ENTER", 57: "KEY_SPACE"}
KEYS |= {103: "KEY_UP", 105: "KEY_LEFT", 106: "KEY_RIGHT", 108: "KEY_DOWN"}
KEYS |= {
    0x130: "BTN_SOUTH", 0x131: "BTN_EAST", 0x133: "BTN_NORTH", 0x134: "BTN_WEST", 0x136: "BTN_TL", 0x137: "BTN_TR",
    0x138: "BTN_TL2", 0x139: "BTN_TR2", 0x13A: "BTN_SELECT", 0x13B: "BTN_START", 0x13C: "BTN_MODE",
    0x13D: "BTN_THUMBL", 0x13E: "BTN_THUMBR",
}  # fmt: skip
AXES = {0: "ABS_X", 1: "ABS_Y", 2: "ABS_Z", 3: "ABS_RX", 4: "ABS_RY", 5: "ABS_RZ", 16: "ABS_HAT0X", 17: "ABS_HAT0Y"}
TRIGGERS = frozenset({"ABS_Z", "ABS_RZ"})
CONTROLS = frozenset(KEYS.values()) | frozenset(AXES.values())


def parse(data: bytes, ranges: dict[str, tuple[int, int]]) -> list[InputEvent]:
    """Events of whole `struct input_event`s; others than known keys and axes, and repetitions, are left out.

    Raises:
        TeleoperationError: the kernel dropped events; a release may be among them.
    """
    events = []
    for _, _, kind, code, value in EVENT.iter_unpack(data):
        if (kind, code) == SYN_DROPPED:
            raise TeleoperationError("the input device's events were dropped: it was not read for too long")
        if kind == EV_KEY and code in KEYS and value in (0, 1):
            events.append(InputEvent(KEYS[code], float(value)))
        elif kind == EV_ABS and code in AXES:
            events.append(InputEvent(AXES[code], _normalised(AXES[code], value, ranges.get(AXES[code]))))
    return events


def _normalised(axis: str, value: int, limits: tuple[int, int] | None) -> float:
    """Sticks to -1..1, triggers to 0..1, hats are -1, 0, 1 as they come."""
    if limits is None:
        limits = (-1, 1) if "HAT" in axis else (0, 255) if axis in TRIGGERS else DEFAULT_RANGE
    low, high = limits
    part = min(max((value - low) / (high - low), 0.0), 1.0)
    return part if axis in TRIGGERS else 2.0 * part - 1.0


class EvdevDevice:
    """Reads one device without waiting. Raises TeleoperationError when it cannot be opened."""

    def __init__(self, path: str | Path) -> None:
        self._path, self._rest = Path(path), b""
        try:
            # A pipe that is open for writing as well never ends while its feeder comes and goes.
            flags = os.O_RDWR if self._path.is_fifo() else os.O_RDONLY
            self._file = os.open(self._path, flags | os.O_NONBLOCK)
        except OSError as error:
            raise TeleoperationError(
                f"input device {path}: {error.strerror}; `ls -l /dev/input/by-id` lists them, group `input` may read"
            ) from error
        self._ranges = {name: limits for code, name in AXES.items() if (limits := self._range(code))}

    def poll(self) -> list[InputEvent]:
        """Raises TeleoperationError where events were lost, after those before them: an emergency stop may be there."""
        data = self._rest + self._read()
        whole = len(data) - len(data) % EVENT.size
        kinds = [(kind, code) for _, _, kind, code, _ in EVENT.iter_unpack(data[:whole])]
        if SYN_DROPPED in kinds and kinds[0] != SYN_DROPPED:
            whole = EVENT.size * kinds.index(SYN_DROPPED)
        self._rest = data[whole:]
        return parse(data[:whole], self._ranges)

    def close(self) -> None:
        os.close(self._file)

    def _read(self) -> bytes:
        try:
            data = os.read(self._file, 64 * EVENT.size)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise TeleoperationError(f"input device {self._path} is gone: {error.strerror}") from error
        if not data:
            raise TeleoperationError(f"input device {self._path} has ended")
        return data

    def _range(self, axis: int) -> tuple[int, int] | None:
        try:
            answer = fcntl.ioctl(self._file, EVIOCGABS + axis, bytes(ABS_INFO.size))
        except OSError:
            return None
        _, low, high, *_ = ABS_INFO.unpack(answer)
        return (low, high) if low < high else None
