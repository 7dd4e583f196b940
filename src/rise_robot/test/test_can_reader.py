"""Which cycles of two arms the reading thread gives together."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from rise_robot.hardware.can_reader import CanReader, Cycles
from rise_robot.hardware.piper_port import Cycle


class ScriptedPort:
    """What arrives at each look, as stamps in ms."""

    def __init__(self, *looks: list[int]) -> None:
        self._looks = list(looks)
        self.is_done = threading.Event()

    def read(self) -> list[Cycle]:
        if not self._looks:
            self.is_done.set()
            return []
        return [Cycle(stamp, {}) for stamp in self._looks.pop(0)]


@pytest.mark.parametrize(
    ("left", "right", "together"),
    [
        (([0], []), ([], [1]), [(0, 1)]),
        (([0, 5, 10], []), ([1, 6, 11], []), [(0, 1), (5, 6), (10, 11)]),
        (([0, 5], [10]), ([1], [6, 11]), [(0, 1), (5, 6), (10, 11)]),  # the second of the right one is under way
        (([0, 5], [10]), ([8], [13]), [(5, 8), (10, 13)]),  # one of the right arm was lost
    ],
)
def test_cycles_are_given_with_their_fellows(left: Any, right: Any, together: list[tuple[int, int]]) -> None:
    ports, given = [ScriptedPort(*left), ScriptedPort(*right)], list[Cycles]()
    reader = CanReader(ports, given.extend)  # type: ignore[arg-type]
    for port in ports:
        assert port.is_done.wait(10.0)
    reader.close()
    assert [tuple(cycle.stamp_ns for cycle in cycles) for cycles in given] == together
