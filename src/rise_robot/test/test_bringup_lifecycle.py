"""Managed nodes as real processes: a failed start ends all by name, and what was activated is deactivated."""

from __future__ import annotations

import os
import signal

import pytest

pytest.importorskip("rclpy")

from bringup_helpers import Bringup, Listener
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from rise_msgs.srv import SetControl


def test_arms_that_are_not_there_end_the_bringup_by_name_and_nothing_is_activated() -> None:
    channel = f"can{os.getpid() % 1000}"
    bringup = Bringup("--hardware", "can", "--left-channel", channel)
    try:
        assert bringup.wait() == 1
    finally:
        if bringup.process.poll() is None:
            bringup.end(signal.SIGKILL)
    printed = "".join(bringup.printed)
    assert f"LaunchError: piper_driver did not configure: cannot open CAN channel '{channel}'" in printed
    assert "lifecycle_manager ended with exit code 1" in printed
    assert ": activate" not in printed and "Traceback" not in printed


@pytest.mark.parametrize("commander", ["none", "expert"])
def test_the_controller_commands_only_while_it_is_active_and_begins_anew(commander: str) -> None:
    """Whoever had control at the start does not get it back by itself."""
    bringup = Bringup("--commander", commander)
    listener = Listener(bringup.domain)

    def change(name: str) -> bool:
        transition = Transition(id=getattr(Transition, f"TRANSITION_{name}"))
        return listener.call(ChangeState, "trajectory_controller/change_state", transition=transition).success

    try:
        bringup.wait_for("lifecycle_manager]: active: trajectory_controller")
        listener.spin_until(lambda: listener.heard["joint_command"])
        state = listener.call(GetState, "trajectory_controller/get_state").current_state
        assert state.id == State.PRIMARY_STATE_ACTIVE
        assert listener.call(SetControl, "control/set", mode="demo").success
        assert change("DEACTIVATE")
        listener.spin(0.3)
        listener.heard["joint_command"].clear()
        listener.spin(0.5)
        assert not listener.heard["joint_command"], "silent"
        refused = listener.call(SetControl, "control/set", mode="demo")
        assert not refused.success and "not active" in refused.message
        assert change("ACTIVATE")
        listener.heard["control/status"].clear()
        listener.spin_until(lambda: listener.heard["joint_command"] and listener.heard["control/status"])
        assert listener.newest("control/status").mode == "hold", "nobody commands as before"
    finally:
        listener.close()
        assert bringup.end() == 0
    assert any("trajectory_controller: deactivate" in line for line in bringup.printed)
