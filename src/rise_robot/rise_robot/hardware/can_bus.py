"""CAN buses by interface and channel."""

from __future__ import annotations

import can

from rise_robot.core.errors import HardwareError
from rise_robot.hardware.emulated_channels import FIRST_PORT

BITRATE = 1_000_000


def open_bus(interface: str, channel: str) -> can.BusABC:
    """A bus that does not hear its own frames where the interface can avoid it.

    Args:
        interface: of python-can: socketcan (can0), udp_multicast ("group:port", between processes), virtual.

    Raises:
        HardwareError: there is no such bus.
    """
    options: dict[str, object] = {"receive_own_messages": False}
    name = channel
    if interface == "udp_multicast":
        # Groups alone do not separate buses: a socket hears every group that this machine has joined on its port.
        name, _, port = channel.partition(":")
        options["port"] = int(port) if port else FIRST_PORT
    try:
        return can.Bus(interface=interface, channel=name, **options)
    except (can.CanError, OSError, ValueError) as error:
        raise HardwareError(
            f"cannot open CAN channel {channel!r} of {interface}: {error}. For a real arm: "
            f"sudo ip link set {channel} up type can bitrate {BITRATE}"
        ) from error
