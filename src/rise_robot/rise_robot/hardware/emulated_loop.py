"""An emulated arm on a CAN bus, in real time, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time

import can

from rise_robot.core.pacing import Pacer
from rise_robot.hardware.emulated_faults import FAULT_ID
from rise_robot.hardware.emulated_piper import PERIOD_S, EmulatedPiper
from rise_robot.hardware.piper_frames import Frame

COMMAND_IDS = frozenset({*range(0x150, 0x160), 0x471, 0x4AF, FAULT_ID})
"""What the arm reads; on udp_multicast a bus hears its own feedback as well."""


class EmulatedLoop:
    """Runs `arm` on `bus` from `start` to `stop`; the bus is shut down with it."""

    def __init__(self, arm: EmulatedPiper, bus: can.BusABC) -> None:
        self.arm, self._bus = arm, bus
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=2.0)
        self._bus.shutdown()

    def _run(self) -> None:
        pacer = Pacer(PERIOD_S, time.monotonic_ns, self._stop.wait)
        while pacer.sleep():
            self._read()
            for frame in self.arm.step():
                self._send(frame)

    def _read(self) -> None:
        while (message := self._bus.recv(0)) is not None:
            if message.arbitration_id in COMMAND_IDS:
                self.arm.receive(Frame(message.arbitration_id, bytes(message.data)))

    def _send(self, frame: Frame) -> None:
        try:
            self._bus.send(can.Message(arbitration_id=frame.id, data=frame.data, is_extended_id=False))
        except can.CanError as error:
            logging.getLogger(__name__).warning("emulated arm: %s", error)
