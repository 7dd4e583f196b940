"""One arm's piper_sdk on a CAN bus, with what the SDK lacks: when each kind of frame came last.

What is done differently from the SDK's own way, and why:

- The bus is opened here. The SDK swallows the failure, opens a second bus for sending (whose queue nobody reads: on a
  `virtual` bus memory grows), and cannot pass on a port.
- The SDK stamps the three joint frames with one time: a lost one would show as fresh, old angles. So the arrival of
  every identifier is kept here.
- It keeps one instance per name for the life of the process: the name carries a number. It may forget a firmware answer
  that comes at once: the question is repeated.
- It logs frames that could not be sent and goes on; they are counted here.
- `EnablePiper` says what was true before it was called: it is polled by `PiperArm`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import can
from piper_sdk import C_PiperInterface_V2

from rise_robot.core.errors import HardwareError
from rise_robot.hardware.can_bus import open_bus

JOINT_FRAMES = (0x2A5, 0x2A6, 0x2A7)
GRIPPER_FRAME, STATUS_FRAME = 0x2A8, 0x2A1
MOTOR_FRAMES = tuple(range(0x261, 0x267))
_instances = itertools.count()


class PiperPort:
    """Connects on construction.

    Attributes:
        sdk: the vendor's interface.
        received, failed: frames read, and frames that could not be sent, since the connection.
        cycle, cycle_ns: number of the newest feedback cycle, and when its last frame arrived: the kernel's stamp where
            there is one, wall time in ns, so that a thread that is late does not make the data younger.

    Args:
        clock_ns: monotonic time, injected.
        on_cycle: called in the reading thread after the last frame of each feedback cycle; it must be quick.
        thread: read in the SDK's thread; else the caller reads with `read`.

    Raises:
        HardwareError: the bus cannot be opened.
    """

    def __init__(
        self,
        interface: str,
        channel: str,
        convention: str,
        clock_ns: Callable[[], int],
        on_cycle: Callable[[], None] = lambda: None,
        *,
        thread: bool = True,
    ) -> None:
        self._clock_ns, self._on_cycle = clock_ns, on_cycle
        self._arrivals: dict[int, int] = {}
        self._sending = threading.Lock()
        self.received = self.failed = self.cycle = self.cycle_ns = 0
        bus = open_bus(interface, channel)
        offset = 1 if convention == "current" else 0
        self.sdk = C_PiperInterface_V2(
            f"{channel}#{next(_instances)}", judge_flag=False, can_auto_init=False, dh_is_offset=offset
        )
        self.sdk.CreateCanBus("unused", bustype="virtual")
        wire = self.sdk.GetCanBus()
        wire.Close()
        wire.recv_bus = wire.send_bus = bus
        wire.callback_function = self._on_frame
        self._transmit, wire.SendCanMessage = wire.SendCanMessage, self._send_frame
        self._bus = bus
        self.sdk.ConnectPort(start_thread=thread)

    def send(self, command: Callable[..., object], *values: object) -> None:
        """Call a command of the SDK, which prepares all its frames in one place: one thread at a time."""
        with self._sending:
            command(*values)

    def age_s(self, frame_ids: tuple[int, ...]) -> float:
        """Since the frame of these that has been missing longest came last; infinite where one never came."""
        arrivals = [self._arrivals.get(frame_id) for frame_id in frame_ids]
        if None in arrivals:
            return float("inf")
        return (self._clock_ns() - min(arrival for arrival in arrivals if arrival is not None)) * 1e-9

    def firmware(self) -> str:
        """Version of the firmware, empty until it has answered; asks again where it has not."""
        version = self.sdk.GetPiperFirmwareVersion()
        if isinstance(version, str) and len(version) == 8:
            return version
        self.send(self.sdk.SearchPiperFirmwareVersion)
        return ""

    def read(self) -> None:
        """Take what has arrived, in the caller's thread."""
        while (message := self._bus.recv(0)) is not None:
            self._on_frame(message)

    def close(self) -> None:
        """Stop listening and close the bus; the motors stay as they are."""
        try:
            self.sdk.DisconnectPort()
        except can.CanError as error:
            raise HardwareError(f"closing the CAN bus: {error}") from error

    def _send_frame(self, frame_id: int, data: list[int]) -> object:
        status = self._transmit(frame_id, data)
        self.failed += status is not self.sdk.GetCanBus().CAN_STATUS.SEND_MESSAGE_SUCCESS
        return status

    def _on_frame(self, message: can.Message) -> None:
        self.sdk.ParseCANFrame(message)  # a frame that it cannot read raises, and so never counts as fresh
        self._arrivals[message.arbitration_id] = self._clock_ns()
        self.received += 1
        if message.arbitration_id == GRIPPER_FRAME:
            self.cycle, self.cycle_ns = self.cycle + 1, round(message.timestamp * 1e9)
            self._on_cycle()
