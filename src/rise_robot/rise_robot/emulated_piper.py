"""Emulated Piper arms that speak the real CAN frames, as a process of its own; needs no ROS.

    python -m rise_robot.emulated_piper                                     # both arms, channels of this ROS domain
    python -m rise_robot.emulated_piper --interface socketcan --channels left=vcan0
    python -m rise_robot.emulated_piper --arms left --fault dead_motor:3    # break a running one; clear mends it

Ctrl-C ends it with exit code 0.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import can

from rise_robot.command_line import explained
from rise_robot.core.scheduling import ask_for_realtime
from rise_robot.hardware.can_bus import open_bus
from rise_robot.hardware.emulated_channels import emulated_channel
from rise_robot.hardware.emulated_faults import KINDS, Fault
from rise_robot.hardware.emulated_loop import EmulatedLoop
from rise_robot.hardware.emulated_piper import EmulatedPiper
from rise_robot.processes import PARENT_ENV
from rise_robot.stop_signals import StopRequest, ask_on_signals

PRIORITY = 46
"""A real arm is never late because the computer is busy; asked for, not demanded."""


def parse(args: Sequence[str] | None = None) -> argparse.Namespace:
    description, _, examples = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "rise_robot.emulated_piper",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--interface", default="udp_multicast", help="python-can's: udp_multicast, socketcan")
    parser.add_argument("--arms", nargs="+", default=["left", "right"], choices=["left", "right"])
    parser.add_argument("--channels", nargs="+", default=[], metavar="ARM=CHANNEL", help="instead of the default ones")
    parser.add_argument("--convention", default="current", choices=["current", "old"], help="theta offsets")
    parser.add_argument("--priority", type=int, default=PRIORITY, help="of SCHED_FIFO; 0: do not ask")
    parser.add_argument("--fault", type=Fault.parse, help=f"tell running arms to fail: {', '.join(KINDS)}")
    words = list(sys.argv[1:] if args is None else args)
    if "--ros-args" in words:  # ros2 launch adds them to everything that it starts
        words = words[: words.index("--ros-args")]
    return parser.parse_args(words)


def channels(arms: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Channel by arm: those given as "arm=channel", else that of the ROS domain."""
    named = dict(text.split("=", 1) for text in given)
    return {arm: named.get(arm) or emulated_channel(arm) for arm in arms}


def inject(fault: Fault, interface: str, places: Sequence[str]) -> None:
    """Send a fault to the arms that run on these channels."""
    frame = fault.frame()
    for channel in places:
        with open_bus(interface, channel) as bus:
            bus.send(can.Message(arbitration_id=frame.id, data=frame.data, is_extended_id=False))


def serve(interface: str, places: dict[str, str], convention: str, priority: int) -> None:
    """Run one arm per channel until a signal comes or bringup is gone."""
    stop = StopRequest()
    ask_on_signals(stop)
    ask_for_realtime(priority)
    buses = [open_bus(interface, place) for place in places.values()]
    loop = EmulatedLoop([(EmulatedPiper(convention=convention), bus) for bus in buses])
    loop.start()
    print(f"emulated arms on {interface}: {', '.join(f'{arm} {place}' for arm, place in places.items())}", flush=True)
    parent = os.environ.get(PARENT_ENV)
    while not stop.wait(0.2):
        if parent and os.getppid() != int(parent):
            break
    loop.stop()


def start(args: Sequence[str] | None) -> None:
    """Send a fault to arms that run, or run arms."""
    options = parse(args)
    places = channels(options.arms, options.channels)
    if options.fault:
        inject(options.fault, options.interface, list(places.values()))
    else:
        serve(options.interface, places, options.convention, options.priority)


def main(args: Sequence[str] | None = None) -> int:
    return explained(lambda: start(args))


if __name__ == "__main__":
    sys.exit(main())
