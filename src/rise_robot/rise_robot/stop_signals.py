"""Signals that ask a process to stop."""

from __future__ import annotations

import os
import signal
import threading

ASKING = (signal.SIGINT, signal.SIGTERM)


class StopRequest(threading.Event):
    """Set by the first signal that asks a process to stop; `again` by those that come later.

    Nearly everybody takes any number of signals for one request. Whoever is at something that takes long, and that a
    person may want to end, looks at `again`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.again = threading.Event()

    def ask(self) -> None:
        """Somebody asks, for the first time or once more."""
        (self.again if self.is_set() else self).set()


def ask_on_signals(asked: StopRequest, signals: tuple[signal.Signals, ...] = ASKING) -> None:
    """Ask on each of these signals, from here on to the end of the process; called in the main thread.

    A thread of its own does it. A handler would run in the main thread, wherever that is: in `asked.wait()` it holds
    the event's lock, `asked.set()` waits for that lock, and the process neither stops nor hears of another signal.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in signals:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def listen() -> None:
        while received := os.read(reading, 1):
            if received[0] in signals:
                asked.ask()

    threading.Thread(target=listen, name="stop_signals", daemon=True).start()
