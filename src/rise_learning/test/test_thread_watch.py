"""The warning about threads that wait for each other, on one core where they really do."""

import os
import subprocess
import sys

TRAIN = """
import logging, sys, time, torch
from rise_learning.training.thread_watch import WINDOW_S, ThreadWatch
logging.basicConfig()
torch.set_num_threads(int(sys.argv[1]))
watch, numbers, until = ThreadWatch(), torch.ones(400, 400), time.monotonic() + 2 * WINDOW_S
while time.monotonic() < until:
    numbers @ numbers
    watch.look()
"""


def warnings_of(threads: int) -> list[str]:
    """What a process says that computes with so many threads on a single core."""
    core = {min(os.sched_getaffinity(0))}
    said = subprocess.run(
        [sys.executable, "-c", TRAIN, str(threads)],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, core),
    )
    return [line for line in said.stderr.splitlines() if "--threads 1" in line]


def test_threads_that_share_a_core_are_warned_of_once() -> None:
    assert len(warnings_of(2)) == 1


def test_one_thread_is_never_warned_of() -> None:
    assert not warnings_of(1)
