"""Real-time priority for loops that must be punctual on a busy machine."""

from __future__ import annotations

import os


def ask_for_realtime(priority: int) -> str:
    """Give the calling thread SCHED_FIFO; say in words what it has now. 0 does not ask.

    Threads that it starts afterwards inherit it.
    """
    if priority <= 0:
        return "normal (not asked for)"
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except (PermissionError, OSError) as error:
        return f"normal (SCHED_FIFO refused: {error.strerror})"
    return f"SCHED_FIFO {priority}"
