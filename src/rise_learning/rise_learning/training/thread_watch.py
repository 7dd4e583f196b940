"""Whether torch's threads take turns with another process instead of helping each other."""

from __future__ import annotations

import logging
import resource
import time

import torch

logger = logging.getLogger(__name__)

WINDOW_S = 2.0
SWITCHES_PER_S = 75.0
"""How often a training is put aside for somebody else: 3 to 40 times a second where it has its cores for itself, 100 to
250 times where it shares one."""


class ThreadWatch:
    """Says once that one thread would be faster than several.

    Linux gives a busy process of another session a core of its own and both of our threads the other one, where each
    spins for the other until its slice of 4 ms is over. A training step of `tiny` then takes 3 s instead of 60 ms
    (docs/decisions/0011). The number of threads is not changed unasked: sums of floats depend on it, and a resumed
    run ends with the weights of an unbroken one.
    """

    def __init__(self) -> None:
        self._since, self._switches = time.monotonic(), _switches()
        self._said = False

    def look(self) -> None:
        """Call at every step; some microseconds."""
        seconds = time.monotonic() - self._since
        if self._said or seconds < WINDOW_S:
            return
        rate = (_switches() - self._switches) / seconds
        self._since, self._switches = time.monotonic(), _switches()
        if torch.get_num_threads() > 1 and rate > SWITCHES_PER_S:
            self._said = True
            logger.warning(
                f"{torch.get_num_threads()} threads wait for another process that is busy on their cores (put aside "
                f"{rate:.0f} times a second): --threads 1 may be many times faster. Interrupt and give it, what is "
                "done is kept"
            )


def _switches() -> int:
    """Involuntary context switches of this process since it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
