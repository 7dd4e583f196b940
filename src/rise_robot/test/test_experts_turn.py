"""The scripted expert of the simulation is silent while somebody else has control, for people send targets as well."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from rise_msgs.msg import ControlStatus
from rise_robot.core.episodes import EpisodeLedger
from rise_robot.nodes.simulated_robot import SimulatedRobotNode


def test_who_has_taken_over_is_not_talked_over() -> None:
    node = object.__new__(SimulatedRobotNode)
    node._authority, node._ledger = ControlStatus.MODE_DEMO, EpisodeLedger("test")
    for mode, reason, experts in (
        ("hold", "demo: waiting for input", True),
        ("demo", "start", True),
        ("hold", "joint feedback older than 0.1 s", True),  # a hiccup of the demonstration
        ("hold", "human: waiting for input", False),
        ("human", "takes over", False),
        ("hold", "clearance: left palm and right palm would be 3 mm too close", False),  # and one of the person's
        ("estop", "pressed", False),
        ("policy", "gives back", False),
        ("hold", "demo: waiting for input", True),
    ):
        node._on_control(ControlStatus(mode=mode, reason=reason))
        assert node._is_experts_turn() == experts, (mode, reason)
