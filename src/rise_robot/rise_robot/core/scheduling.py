"""Real-time priority for loops that must be punctual on a busy machine."""

from __future__ import annotations

import os
from contextlib import suppress


def ask_for_realtime(priority: int, *, every_thread: bool = False) -> str:
    """Give the calling thread SCHED_FIFO; say in words what it has now. 0 does not ask.

    Threads that it starts afterwards inherit it.

    Args:
        every_thread: give it to all threads of this process, those of the middleware among them: a loop that is
            punctual is of no use while what it sends and hears waits.
    """
    if priority <= 0:
        return "normal (not asked for)"
    try:
        for thread in map(int, os.listdir("/proc/self/task")) if every_thread else [0]:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority))
    except (PermissionError, OSError) as error:
        return f"normal (SCHED_FIFO refused: {error.strerror})"
    return f"SCHED_FIFO {priority}"
