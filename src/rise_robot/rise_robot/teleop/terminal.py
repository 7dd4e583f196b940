"""The keyboard of a terminal. A terminal tells of no release: a key counts as held until it has not been repeated."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import tty
from collections.abc import Callable

from rise_robot.core.errors import TeleoperationError
from rise_robot.teleop.devices import InputEvent

HOLD_S = 0.12
"""How long a key counts as held after each of its characters; terminals repeat every 30 to 50 ms."""
SPECIAL = {" ": "KEY_SPACE", "\n": "KEY_ENTER", "\r": "KEY_ENTER", "\t": "KEY_TAB", "\x7f": "KEY_BACKSPACE"}
SEQUENCE = re.compile(r"\x1b(\[[0-9;]*[A-Za-z~]|O[A-Za-z])")
ARROWS = {"\x1b[A": "KEY_UP", "\x1b[B": "KEY_DOWN", "\x1b[C": "KEY_RIGHT", "\x1b[D": "KEY_LEFT"}


def keys(text: str) -> list[str]:
    """Names of the keys that were typed; an escape that begins no known sequence is the escape key, the emergency stop,
    and so is a sequence of another key (Home, F5) as a whole."""
    names = []
    while text:
        if arrow := ARROWS.get(text[:3]):
            names.append(arrow)
            text = text[3:]
            continue
        other = SEQUENCE.match(text)
        character, text = text[0], text[other.end() if other else 1 :]
        if character in SPECIAL:
            names.append(SPECIAL[character])
        elif character == "\x1b":
            names.append("KEY_ESC")
        elif character.isascii() and character.isalnum():
            names.append(f"KEY_{character.upper()}")
    return names


class HeldKeys:
    """Makes presses and releases of typed keys: a tap is a small step, a key that is held moves on."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._until: dict[str, float] = {}

    def update(self, typed: list[str]) -> list[InputEvent]:
        now, events = self._clock_s(), []
        for name in typed:
            if name not in self._until:
                events.append(InputEvent(name, 1.0))
            self._until[name] = now + HOLD_S
        for name in [name for name, until in self._until.items() if until <= now]:
            del self._until[name]
            events.append(InputEvent(name, 0.0))
        return events


class TerminalKeyboard:
    """Reads a terminal, standard input where none is given. Raises TeleoperationError when it is none."""

    def __init__(self, clock_s: Callable[[], float], file: int | None = None) -> None:
        self._file = sys.stdin.fileno() if file is None else file
        if not os.isatty(self._file):
            raise TeleoperationError(
                "the keyboard needs a terminal of its own: start this node by itself, or use a device of /dev/input"
            )
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file)
        self._held = HeldKeys(clock_s)

    def poll(self) -> list[InputEvent]:
        if not select.select([self._file], [], [], 0.0)[0]:
            return self._held.update([])
        try:
            data = os.read(self._file, 256)
        except OSError as error:
            raise TeleoperationError(f"the terminal is gone: {error.strerror}") from error
        if not data:
            raise TeleoperationError("the terminal has ended")
        return self._held.update(keys(data.decode(errors="ignore")))

    def close(self) -> None:
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)
