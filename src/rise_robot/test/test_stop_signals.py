"""A request to stop is heard wherever the process is, and one that does not stop says where it is."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from rise_robot.processes import ProcessGroup
from rise_robot.stop_signals import StopRequest

INTERRUPTED_IN_WAIT = """
import os, signal, threading, time
from rise_robot.stop_signals import StopRequest, ask_on_signals
asked = StopRequest()
ask_on_signals(asked)
with asked._cond:  # as asked.wait() does before it sleeps
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
print(asked.wait(20.0))
"""
DEAF = """
import time
from rise_robot.nodes import runtime

class Deaf:
    def __init__(self):
        import rclpy
        self.node = rclpy.create_node("deaf")
    def run(self, stop):
        print("runs", flush=True)
        while True:
            time.sleep(60.0)
    def close(self):
        pass

runtime.run(Deaf, [])
"""


def test_a_signal_within_the_wait_for_it_is_heard() -> None:
    """Where a handler sets the event the process hangs for good: the main thread waits for a lock that it holds."""
    child = [sys.executable, "-c", INTERRUPTED_IN_WAIT]
    assert subprocess.run(child, timeout=30, check=True, stdout=subprocess.PIPE, text=True).stdout == "True\n"


def test_a_second_request_reaches_who_is_still_at_it(capfd: pytest.CaptureFixture[str]) -> None:
    group, again = ProcessGroup(), threading.Event()
    parking = "import signal; n = [signal.SIGINT] * 2; signal.pthread_sigmask(0, n); print('runs', flush=True)\n"
    group.start("parking", [sys.executable, "-c", parking + "for _ in range(2): signal.sigwait(n)"], grace_s=30.0)
    printed, end = "", time.monotonic() + 30.0
    while "runs" not in printed and time.monotonic() < end:
        time.sleep(0.05)
        printed += capfd.readouterr().out
    threading.Timer(0.5, again.set).start()
    assert group.stop(again) == [], "it ends with the second one and is not killed"


def test_only_a_later_request_is_one_more() -> None:
    asked = StopRequest()
    asked.ask()
    assert asked.is_set() and not asked.again.is_set()
    asked.ask()
    assert asked.again.is_set()


def test_what_does_not_end_says_where_it_hangs(capfd: pytest.CaptureFixture[str]) -> None:
    group, stop = ProcessGroup(), threading.Event()
    group.start("deaf", [sys.executable, "-c", DEAF], grace_s=1.0)
    printed = ""
    end = time.monotonic() + 60.0
    while "[deaf] runs" not in printed and time.monotonic() < end:
        stop.wait(0.1)
        printed += capfd.readouterr().out
    assert group.stop() == ["deaf did not end within 1 s and was killed"]
    assert "line 12 in run" in capfd.readouterr().out
