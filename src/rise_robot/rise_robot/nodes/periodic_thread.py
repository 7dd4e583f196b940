"""A thread with absolute deadlines and, where it is permitted, real-time priority."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rise_robot.core.pacing import Lateness, Pacer, WallOffset, aligned_origin
from rise_robot.nodes import runtime


class PeriodicThread:
    """Runs from construction to `halt`.

    Args:
        period_s: between two deadlines.
        work: called at every deadline with its stamp, wall time in ns.
        priority: of SCHED_FIFO; 0: do not ask.
        phase: deadlines lie this part of a period after whole multiples of it on the wall clock; None: anywhere.

    Attributes:
        scheduling: what it got, in words.
        failure: what ended it before its time.
    """

    def __init__(self, period_s: float, work: Callable[[int], None], priority: int, phase: float | None = None) -> None:
        self._work, self._priority, self._halt = work, priority, threading.Event()
        origin = None if phase is None else aligned_origin(period_s, phase, time.time_ns(), time.monotonic_ns())
        self._pacer = Pacer(period_s, time.monotonic_ns, self._halt.wait, origin_ns=origin)
        self.scheduling = ""
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._known = threading.Event()
        self._thread.start()
        self._known.wait(timeout=2.0)

    def halt(self) -> None:
        """End it; its work is not interrupted."""
        self._halt.set()
        self._thread.join(timeout=2.0)

    def lateness(self) -> Lateness:
        return self._pacer.lateness()

    def _run(self) -> None:
        self.scheduling = runtime.ask_for_realtime(self._priority)
        self._known.set()
        wall = WallOffset(time.time_ns, time.monotonic_ns)
        try:
            while self._pacer.sleep():
                self._work(wall.stamp(self._pacer.deadline_ns))
        except BaseException as error:
            self.failure = error
