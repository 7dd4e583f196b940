"""`python -m rise_robot.bringup --hardware emulated --teleop leader`: a person at a terminal, and leader arms."""

from __future__ import annotations

import os
import pty
import signal
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy")

from bringup_helpers import Bringup, Listener, wait_until_gone
from sensor_msgs.msg import JointState

from rise_robot.nodes import qos


@pytest.fixture(scope="module")
def cell() -> Iterator[tuple[Bringup, Listener, int]]:
    """Bringup, a listener, and the keyboard of its terminal."""
    keyboard, terminal = pty.openpty()
    bringup = Bringup("--hardware", "emulated", "--teleop", "leader", stdin=terminal)
    listener = Listener(bringup.domain)
    listener.node.create_subscription(
        JointState, "leader/joint_states", listener.heard["leader/joint_states"].append, qos.SENSOR
    )
    try:
        bringup.wait_for("]: active: piper_driver, trajectory_controller, leader_driver")
        wanted = ("joint_states", "leader/joint_states", "joint_command")
        listener.spin_until(lambda: all(listener.heard[topic] for topic in wanted), 90.0)
        yield bringup, listener, keyboard
    finally:
        listener.close()
        if bringup.process.poll() is None:
            bringup.end(signal.SIGKILL)
        os.close(keyboard)
        os.close(terminal)


def test_leaders_are_read_and_never_enabled(cell: tuple[Bringup, Listener, int]) -> None:
    _, listener, _ = cell

    def motors() -> list[str]:
        """Status of the left leader's motors, as its driver reports it."""
        arrays = [status for array in listener.heard["/diagnostics"] for status in array.status]
        mine = [status for status in arrays if status.name == "leader_driver"]
        return [pair.value for status in mine[-1:] for pair in status.values if pair.key == "left/motor_status"]

    listener.spin_until(motors, 60.0)
    assert motors() == [" ".join(["0x00"] * 6)], "no motor has power, although the driver is active"


def test_keys_of_the_terminal_take_over_and_the_arms_follow_the_leaders(cell: tuple[Bringup, Listener, int]) -> None:
    _, listener, keyboard = cell

    def commands() -> bool:
        """Asks again: the controller takes authority away when a starved machine leaves it without targets."""
        os.write(keyboard, b"t")
        listener.spin(1.0)
        return bool(listener.newest("control/status").mode == "demo")

    listener.spin_until(commands, 90.0)
    leaders = np.array(listener.newest("leader/joint_states").position)
    np.testing.assert_allclose(listener.newest("joint_states").position, leaders, atol=0.02)


def test_ctrl_c_ends_all_with_code_0(cell: tuple[Bringup, Listener, int]) -> None:
    bringup, _, _ = cell
    children = bringup.children()
    assert bringup.end() == 0, "".join(bringup.printed)
    wait_until_gone(list(children.values()))
