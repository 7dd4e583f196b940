"""Emulated arms on their CAN buses, in real time, in one thread: threads of their own would wait for each other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

import can

from rise_robot.core.pacing import Pacer
from rise_robot.hardware.emulated_faults import FAULT_ID
from rise_robot.hardware.emulated_piper import PERIOD_S, EmulatedPiper
from rise_robot.hardware.piper_frames import Frame

COMMAND_IDS = frozenset({*range(0x150, 0x160), 0x471, 0x4AF, FAULT_ID})
"""What the arm reads; on udp_multicast a bus hears its own feedback as well."""

LATE = 4
"""Periods that are caught up: an arm that misses some would be a slower arm."""


class EmulatedLoop:
    """Runs each arm on its bus from `start` to `stop`; the buses are shut down with it."""

    def __init__(self, arms: Sequence[tuple[EmulatedPiper, can.BusABC]]) -> None:
        self._arms = tuple(arms)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=2.0)
        for _, bus in self._arms:
            bus.shutdown()

    def _run(self) -> None:
        pacer = Pacer(PERIOD_S, time.monotonic_ns, self._stop.wait, slack=LATE)
        while pacer.sleep():
            for arm, bus in self._arms:
                _hear(arm, bus)
                for frame in arm.step():
                    _say(frame, bus)


def _hear(arm: EmulatedPiper, bus: can.BusABC) -> None:
    while (message := bus.recv(0)) is not None:
        if message.arbitration_id in COMMAND_IDS:
            arm.receive(Frame(message.arbitration_id, bytes(message.data)))


def _say(frame: Frame, bus: can.BusABC) -> None:
    try:
        bus.send(can.Message(arbitration_id=frame.id, data=frame.data, is_extended_id=False))
    except can.CanError as error:
        logging.getLogger(__name__).warning("emulated arm: %s", error)
