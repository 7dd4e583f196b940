"""One thread that reads the CAN buses of several arms, in batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from rise_robot.hardware.piper_port import Cycle, PiperPort

Cycles = tuple[Cycle, ...]
"""One cycle of every arm, in the order of the ports."""
LOOK_S = 0.002
"""The buses are looked at this often, and not waited for: an arm sends 14 frames in a burst, and to be woken by each,
and by the echo of each command, costs more than to read it. Stamps are the kernel's, so that data look no younger."""
MOST = 40
"""Cycles of one arm that wait for those of another: 0.2 s."""


class CanReader:
    """Reads from construction to `close`.

    Args:
        ports: of the arms.
        on_look: called in the reading thread after every look, with what every arm has sent since: mostly nothing.

    Attributes:
        failure: what ended the thread before its time.
    """

    def __init__(self, ports: Sequence[PiperPort], on_look: Callable[[list[Cycles]], None]) -> None:
        self._ports, self._on_look = tuple(ports), on_look
        self._waiting: list[deque[Cycle]] = [deque(maxlen=MOST) for _ in ports]
        self._stop = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="can_reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; the ports stay open."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                time.sleep(LOOK_S)
                for port, waiting in zip(self._ports, self._waiting, strict=True):
                    waiting.extend(port.read())
                self._on_look(self._complete())
        except BaseException as error:
            self.failure = error

    def _complete(self) -> list[Cycles]:
        """After a delay every arm has several, and all are given. What one has sent after the newest of another waits.
        Arms have clocks of their own: of one that has more than the others by then, the newest count."""
        count = min(map(len, self._waiting))
        if not count:
            return []
        newest = min(waiting[-1].stamp_ns for waiting in self._waiting)  # by then every arm has sent one
        given = []
        for waiting in self._waiting:
            early = min(len(waiting) - count, sum(cycle.stamp_ns > newest for cycle in waiting))
            ready = [waiting.popleft() for _ in range(len(waiting) - early)]
            given.append(ready[-count:])
        return list(zip(*given, strict=True))
