"""The udp_multicast channels that emulated arms use by default."""

from __future__ import annotations

import os

GROUP = "239.74.163.2"
FIRST_PORT, FIRST_LEADER_PORT = 6000, 6500
"""In all domains below the ports of DDS (7000, as seen of Fast DDS, and 7400 and on) and those that the kernel hands
out (32768 and on): nobody else takes one."""


def emulated_channel(arm: str, leader: bool = False) -> str:
    """Channel of an emulated arm ("left" or "right"), or of its leader: its own in every ROS domain."""
    domain = int(os.environ.get("ROS_DOMAIN_ID") or 0)
    return f"{GROUP}:{(FIRST_LEADER_PORT if leader else FIRST_PORT) + 2 * domain + ('left', 'right').index(arm)}"
