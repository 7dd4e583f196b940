"""Faults of the emulated arm, on command: one CAN frame of an identifier that no real Piper uses.

python -m rise_robot.emulated_piper --fault dead_motor:3 --channels left=239.74.163.2:6000
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rise_robot.core.errors import HardwareError
from rise_robot.hardware.piper_frames import Frame
from rise_robot.hardware.piper_messages import JOINTS

FAULT_ID = 0x7F0
KINDS = ("clear", "drop", "silence", "dead_motor", "stuck", "overheat", "lost_pair", "estop", "teach")
"""drop:N loses N % of the feedback, lost_pair:N one of the three joint frames (0 to 2); dead_motor, stuck and overheat
take a motor (1 to 6); silence is a cut cable, estop the button, teach the button that leaves CAN control.
"""
_MOTOR = (1, JOINTS)
_LIMITS = {"drop": (0, 100), "lost_pair": (0, 2), "dead_motor": _MOTOR, "stuck": _MOTOR, "overheat": _MOTOR}


@dataclass(frozen=True)
class Fault:
    """One fault: its kind and number, 0 where the kind has none."""

    kind: str
    number: int = 0

    @classmethod
    def parse(cls, text: str) -> Fault:
        """From "kind" or "kind:number". Raises HardwareError naming what is known."""
        kind, _, number = text.partition(":")
        if kind not in KINDS:
            raise HardwareError(f"unknown fault {kind!r}; known are {', '.join(KINDS)}")
        if kind not in _LIMITS:
            if number:
                raise HardwareError(f"fault {kind} takes no number, got {number!r}")
            return cls(kind)
        low, high = _LIMITS[kind]
        if not number.isdecimal() or not low <= int(number) <= high:
            raise HardwareError(f"fault {kind} needs a number from {low} to {high}, got {number!r}")
        return cls(kind, int(number))

    def frame(self) -> Frame:
        return Frame(FAULT_ID, bytes([KINDS.index(self.kind), self.number, 0, 0, 0, 0, 0, 0]))

    @classmethod
    def from_frame(cls, frame: Frame) -> Fault:
        return cls(KINDS[frame.data[0]], frame.data[1])


class FaultState:
    """The faults that hold at present.

    Args:
        random: uniform numbers in [0, 1), for lost frames.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.clear()

    def clear(self) -> None:
        self.drop, self.silent = 0.0, False
        self.dead: set[int] = set()
        self.overheated: set[int] = set()
        self.lost_pairs: set[int] = set()

    def loses(self, frame_id: int) -> bool:
        """Whether a feedback frame does not reach the bus."""
        if self.silent or frame_id - 0x2A5 in self.lost_pairs:
            return True
        if frame_id & 0x7E0 in (0x240, 0x260) and frame_id & 0xF in self.dead:
            return True
        return self.drop > 0 and self._random() < self.drop
