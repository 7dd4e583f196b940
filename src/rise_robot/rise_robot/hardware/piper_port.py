"""One arm's piper_sdk on a CAN bus, with what the SDK lacks: when each kind of frame came last.

What is done differently from the SDK's own way, and why:

- The bus is opened here. The SDK swallows the failure, opens a second bus for sending (whose queue nobody reads: on a
  `virtual` bus memory grows), and cannot pass on a port.
- The bus is read by `read`, for several arms in one thread (`CanReader`), and not by a thread of the SDK per arm.
- The feedback is kept as bytes and decoded where it is read: the SDK takes 15 us for each of 6,000 frames a second,
  `piper_frames` 1 us for those that are looked at. Both are compared in a test. Commands, enabling and what the arm
  answers go through the SDK.
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
from typing import NamedTuple, TypeVar

import can
from piper_sdk import C_PiperInterface_V2

from rise_robot.core.errors import HardwareError
from rise_robot.hardware.can_bus import open_bus
from rise_robot.hardware.piper_frames import Frame, decode
from rise_robot.hardware.piper_messages import Message

JOINT_FRAMES = (0x2A5, 0x2A6, 0x2A7)
GRIPPER_FRAME, STATUS_FRAME = 0x2A8, 0x2A1
POSE_FRAMES = (0x2A2, 0x2A3, 0x2A4)
FAST_FRAMES, MOTOR_FRAMES = tuple(range(0x251, 0x257)), tuple(range(0x261, 0x267))
KEPT = frozenset((STATUS_FRAME, *POSE_FRAMES, *JOINT_FRAMES, GRIPPER_FRAME, *FAST_FRAMES, *MOTOR_FRAMES))
"""The feedback that comes by itself."""
ECHOED = frozenset((*range(0x150, 0x160), 0x471))
"""Commands; some buses carry them back to their sender."""
_instances = itertools.count()
M = TypeVar("M", bound=Message)


class Cycle(NamedTuple):
    """One cycle of feedback: when its last frame arrived (as `PiperPort.cycle_ns`), and the newest frames then."""

    stamp_ns: int
    frames: dict[int, bytes]

    def message(self, frame_id: int, kind: type[M]) -> M:
        """What a frame of KEPT said; HardwareError where none has come."""
        data = self.frames.get(frame_id)
        if data is None:
            raise HardwareError(f"no frame {frame_id:#x} has come")
        message = decode(Frame(frame_id, data))
        assert isinstance(message, kind), f"{frame_id:#x} is no {kind.__name__}"
        return message


class PiperPort:
    """Connects on construction.

    Attributes:
        sdk: the vendor's interface.
        received, failed, unread: since the connection, frames read, frames that could not be sent, and frames or whole
            reads that failed.
        bus_errors: error frames of the kernel: cabling, termination, bit rate, another node at fault.
        cycle, cycle_ns: number of the newest feedback cycle, and when its last frame arrived: the kernel's stamp where
            there is one, wall time in ns, so that a thread that is late does not make the data younger.

    Args:
        clock_ns: monotonic time, injected.

    Raises:
        HardwareError: the bus cannot be opened.
    """

    def __init__(self, interface: str, channel: str, convention: str, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._arrivals: dict[int, int] = {}
        self._newest: dict[int, bytes] = {}
        self._sending = threading.Lock()
        self.received = self.failed = self.unread = self.bus_errors = self.cycle = self.cycle_ns = 0
        bus = open_bus(interface, channel)
        offset = 1 if convention == "current" else 0
        self.sdk = C_PiperInterface_V2(
            f"{channel}#{next(_instances)}", judge_flag=False, can_auto_init=False, dh_is_offset=offset
        )
        self.sdk.CreateCanBus("unused", bustype="virtual")
        wire = self.sdk.GetCanBus()
        wire.Close()
        wire.recv_bus = wire.send_bus = bus
        self._transmit, wire.SendCanMessage = wire.SendCanMessage, self._send_frame
        self._bus = bus
        self.sdk.ConnectPort(start_thread=False)

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

    def newest(self) -> Cycle:
        """The newest frames, whether or not they are of one cycle."""
        return Cycle(self.cycle_ns, self._newest)

    def read(self) -> list[Cycle]:
        """Take what has arrived, in the caller's thread; one thread at a time.

        Returns:
            The cycles that are complete, one after the other: a reader that was late has missed none. A bus that fails
            is counted, and falls silent.
        """
        now_ns = self._clock_ns()  # before: a frame must not look younger than it is
        cycles: list[Cycle] = []
        try:
            while (message := self._bus.recv(0)) is not None:
                if self._take(message, now_ns):
                    cycles.append(Cycle(self.cycle_ns, self._newest.copy()))
        except can.CanError:
            self.unread += 1
        return cycles

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

    def _take(self, message: can.Message, now_ns: int) -> bool:
        """Keep a frame, or let the SDK have it; unreadable, it never counts as fresh. True: it ends a cycle.

        The bits of an error frame, which the kernel makes, can look like an identifier of the arm.
        """
        if message.is_error_frame:
            self.bus_errors += 1
            return False
        if message.is_extended_id or message.is_remote_frame:  # of another device
            return False
        frame_id = message.arbitration_id
        if frame_id in ECHOED:
            return False
        if frame_id in KEPT:
            if len(message.data) != 8:
                self.unread += 1
                return False
            self._newest[frame_id] = bytes(message.data)
        elif not self._parse(message):
            return False
        self._arrivals[frame_id] = now_ns
        self.received += 1
        if frame_id != GRIPPER_FRAME:
            return False
        self.cycle, self.cycle_ns = self.cycle + 1, round(message.timestamp * 1e9)
        return True

    def _parse(self, message: can.Message) -> bool:
        try:
            self.sdk.ParseCANFrame(message)
        except Exception:  # whatever the SDK raises for bytes that it does not understand
            self.unread += 1
            return False
        return True
