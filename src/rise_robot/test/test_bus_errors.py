"""What the kernel and other devices put on an arm's bus is none of its feedback."""

from __future__ import annotations

from collections.abc import Iterator

import can
import numpy as np
import pytest
from piper_world import World

FAR_OFF = b"\x7f" * 8


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.activate()
    yield world
    world.close()


@pytest.mark.parametrize(
    ("kind", "errors"), [({"is_error_frame": True}, 1), ({"is_extended_id": True}, 0)], ids=["error", "other device"]
)
def test_bits_that_look_like_joints_move_none(world: World, kind: dict[str, bool], errors: int) -> None:
    port, before = world.arms[0].port, world.robot.positions()
    frame = {"arbitration_id": 0x2A5, "data": FAR_OFF, "is_extended_id": False} | kind
    world._buses[0].send(can.Message(**frame))  # type: ignore[arg-type]
    port.read()
    np.testing.assert_array_equal(world.robot.positions(), before)
    assert (port.bus_errors, port.unread) == (errors, 0)
