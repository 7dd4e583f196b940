"""The udp_multicast channels that emulated arms use by default."""

from __future__ import annotations

import os

GROUP = "239.74.163.2"
FIRST_PORT = 43200


def emulated_channel(arm: str) -> str:
    """Channel of an emulated arm ("left" or "right"): its own in every ROS domain."""
    domain = int(os.environ.get("ROS_DOMAIN_ID") or 0)
    return f"{GROUP}:{FIRST_PORT + 2 * domain + ('left', 'right').index(arm)}"
