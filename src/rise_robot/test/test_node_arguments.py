"""A node that is asked for help, or called with a typing error, answers and does nothing else."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("rclpy")

from rise_robot.nodes import motion_check, runtime
from rise_robot.nodes.motion_check import MotionCheckNode


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def starts(**_: object) -> None:
        raise AssertionError("the node was started")

    monkeypatch.setattr(runtime.rclpy, "init", starts)


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_of_what_moves_the_arms_moves_nothing(
    word: str, nothing_starts: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["motion_check", word])
    assert motion_check.main() == 0
    said = capsys.readouterr().out
    assert said.startswith("The first motion of a robot") and "-p NAME:=VALUE" in said


def test_arguments_that_no_node_takes_are_refused_by_name(
    nothing_starts: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runtime.run(MotionCheckNode, ["--seconds", "3", "--ros-args", "-p", "amplitude:=0.1"]) == 2
    assert "unknown arguments ['--seconds', '3']" in capsys.readouterr().err


def test_arguments_of_ros_start_the_node(nothing_starts: None) -> None:
    with pytest.raises(AssertionError, match="was started"):
        runtime.run(MotionCheckNode, ["--ros-args", "-p", "seconds:=3.0"])
