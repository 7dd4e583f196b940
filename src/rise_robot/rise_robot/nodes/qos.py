"""Quality of service by kind of topic; the kinds are those of rise_robot.bag.schema."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

SENSOR = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Cameras and joint feedback: the newest counts, a lost one does not matter."""

COMMAND = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""Subscriptions to commands: only the newest is of use."""

EVENT = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""Things that happen once and must not be missed."""

LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""States: late subscribers get the present one."""


def offered_command(rate_hz: float, lifespan_s: float = 1.0) -> QoSProfile:
    """What a publisher of commands promises: a rate (six periods' deadline), and that no old command is delivered."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        deadline=Duration(seconds=6.0 / rate_hz),
        lifespan=Duration(seconds=lifespan_s),
    )
