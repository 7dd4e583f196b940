"""How late commands leave: the controller's loop against a plain rclpy timer, side by side, with and without load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rise_learning.benchmarks.measure import Measurement
from rise_learning.benchmarks.workload import Workload

SECONDS = 10.0
PRIORITY = 50
LOAD = "while True: pass"


def lateness(workload: Workload) -> list[Measurement]:
    """Four runs of SECONDS: as the machine is and with a busy process per core; without and with SCHED_FIFO.

    Deadline to published command, the work of a control period in between; both loops run at the same time, in
    processes of their own. Where SCHED_FIFO is refused the rows say so.
    """
    rows = []
    for busy in (0, os.cpu_count() or 1):
        for priority in (0, PRIORITY):
            with spinning(busy):
                ours, theirs = probe(priority)
            load = f"{busy} busy processes" if busy else "no load added"
            rows += _rows(f"{load}, {ours['scheduling'] if priority else 'without SCHED_FIFO'}", ours, theirs)
    return rows


def _rows(where: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[Measurement]:
    count = round(SECONDS * 30)
    names = {"p50_ms": "p50", "p99_ms": "p99", "max_ms": "max"}
    return [
        Measurement(f"{name}, {where}", "ms", ours[key], "rclpy timer", theirs[key], "lower", count)
        for key, name in names.items()
    ]


def probe(priority: int, seconds: float = SECONDS) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of the controller's loop and of a timer, measured at the same time; RuntimeError when one fails."""
    environment = os.environ | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    running = [
        subprocess.Popen(_command(loop, priority, seconds), stdout=subprocess.PIPE, text=True, env=environment)
        for loop in ("thread", "timer")
    ]
    printed = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError(f"rise_robot.nodes.lateness_probe failed: {printed}")
    ours, theirs = (json.loads(text.splitlines()[-1]) for text in printed)
    return ours, theirs


def _command(loop: str, priority: int, seconds: float) -> list[str]:
    given = {"loop": loop, "seconds": seconds, "realtime_priority": priority}
    words = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    return [sys.executable, "-m", "rise_robot.nodes.lateness_probe", "--ros-args", *words]


@contextmanager
def spinning(count: int) -> Iterator[None]:
    """Meanwhile this many processes compute."""
    busy = [subprocess.Popen([sys.executable, "-c", LOAD]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
