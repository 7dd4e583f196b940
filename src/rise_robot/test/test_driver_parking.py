"""Parking at the end: not after a fault, and not against somebody who asks once more."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from piper_world import World

from rise_robot.hardware.piper_robot import State
from rise_robot.nodes.piper_driver import PiperDriverNode
from rise_robot.stop_signals import StopRequest


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.activate()
    yield world
    world.close()


def driver() -> PiperDriverNode:
    """As far as parking needs one: no node, no bus of its own."""
    made = object.__new__(PiperDriverNode)
    made.__dict__ |= {
        "_parameters": SimpleNamespace(park_on_shutdown=True), "_powered": True, "_forgiven": 0, "_control": None,
        "node": SimpleNamespace(get_logger=lambda: SimpleNamespace(error=print)),
    }  # fmt: skip
    return made


def test_a_stop_that_was_latched_is_not_undone_by_the_end(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.robot.hold("emergency stop")
    world.robot.deactivate()  # as the lifecycle manager does before the driver ends
    driver()._park_at_the_end(world.robot, StopRequest().again)
    assert world.robot.state is State.READY
    assert "not parked: a fault was latched (emergency stop)" in capsys.readouterr().out


def test_whoever_asks_again_ends_parking(world: World) -> None:
    world.robot.deactivate()
    stop = StopRequest()
    stop.ask()
    stop.ask()
    driver()._park_at_the_end(world.robot, stop.again)
    assert world.robot.state is State.FAULT and world.robot.reason == "asked to end while parking"
    assert all(arm.enabled.all() for arm in world.emulated)
