"""A terminal that takes nothing (Ctrl-S, a connection that hangs) stops no node."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

LINES = 3000
LOG_MUCH = f"""
import rclpy
from rise_robot.nodes import runtime
runtime.log_without_waiting()
rclpy.init()
node = rclpy.create_node("talkative")
for i in range({LINES}):
    node.get_logger().info(f"line {{i:04d}} " + "x" * 200)
print("worked on", flush=True)
"""


def run(stderr: int) -> subprocess.CompletedProcess[str]:
    """Without the reopened stream it waits for ever for somebody to read."""
    environment = os.environ | {"ROS_DOMAIN_ID": "99", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return subprocess.run(
        [sys.executable, "-c", LOG_MUCH], env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True,
        timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("open_stream", [os.pipe, pty.openpty], ids=["pipe", "terminal"])
def test_a_node_works_on_where_nobody_reads_what_it_logs(open_stream: object) -> None:
    ends = open_stream()  # type: ignore[operator]
    try:
        assert run(ends[1]).stdout == "worked on\n"
        assert os.get_blocking(ends[1]), "others who write there still wait"
    finally:
        for end in ends:
            os.close(end)


def test_a_file_has_every_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        run(file.fileno())
    assert path.read_text().count("line ") == LINES
