"""Emulated arms and the driver's core on virtual CAN buses, with a clock that the caller moves: no threads."""

from __future__ import annotations

import itertools

import can
import numpy as np

from rise_robot.core.command_guard import GuardConfig
from rise_robot.core.contract import Contract
from rise_robot.hardware.can_bus import open_bus
from rise_robot.hardware.emulated_faults import Fault
from rise_robot.hardware.emulated_piper import PERIOD_S, EmulatedPiper
from rise_robot.hardware.emulated_plant import REST
from rise_robot.hardware.piper_arm import ArmSettings, PiperArm
from rise_robot.hardware.piper_frames import Frame
from rise_robot.hardware.piper_joints import arms_of
from rise_robot.hardware.piper_port import PiperPort
from rise_robot.hardware.piper_robot import PiperRobot

_cells = itertools.count()


class EmulatedCell:
    """The arms of a contract and their robot. Time passes in `run`, and in whatever waits.

    Attributes:
        now_ns: the clock.
        emulated: the arms, in the order of the contract; `arms`: the driver's view of them.
        robot: the driver's core.
        driven: false: the driver is dead; it neither reads nor watches.

    Args:
        contract: of Piper arms.
        guard, settings: of the driver; the defaults where None.
        positions: (6,) rad, where both arms are at first.
        start_ns: the clock at first.
    """

    def __init__(
        self,
        contract: Contract,
        guard: GuardConfig | None = None,
        settings: ArmSettings | None = None,
        positions: np.ndarray = REST,
        start_ns: int = 10**15,
    ) -> None:
        self.now_ns, self.driven = start_ns, True
        number, names = next(_cells), arms_of(contract)
        channels = [f"cell{number}_{name}" for name in names]
        self.emulated = [EmulatedPiper(positions) for _ in names]
        self._buses = [open_bus("virtual", channel) for channel in channels]
        ports = [PiperPort("virtual", channel, "current", self.clock) for channel in channels]
        given = settings or ArmSettings()
        self.arms = [PiperArm(name, port, given, self.run) for name, port in zip(names, ports, strict=True)]
        self.robot = PiperRobot(contract, self.arms, self.clock, guard)

    def clock(self) -> int:
        return self.now_ns

    def run(self, seconds: float) -> bool:
        """Let time pass, as the `wait` of the driver; the robot watches in every period."""
        for _ in range(max(round(seconds / PERIOD_S), 1)):
            self.now_ns += round(PERIOD_S * 1e9)
            for arm, bus in zip(self.emulated, self._buses, strict=True):
                _live(arm, bus)
            if self.driven:
                for driven in self.arms:
                    driven.port.read()
                self.robot.check()
        return False

    def activate(self) -> None:
        self.robot.connect(self.run, 1.0)
        self.robot.activate()

    def break_arm(self, arm: int, fault: str) -> None:
        """`fault`: as of python -m rise_robot.emulated_piper."""
        self.emulated[arm].receive(Fault.parse(fault).frame())

    def close(self) -> None:
        self.robot.close()
        for bus in self._buses:
            bus.shutdown()


def _live(arm: EmulatedPiper, bus: can.BusABC) -> None:
    """One period of an arm: what it hears, then what it says."""
    while (message := bus.recv(0)) is not None:
        arm.receive(Frame(message.arbitration_id, bytes(message.data)))
    for frame in arm.step():
        bus.send(can.Message(arbitration_id=frame.id, data=frame.data, is_extended_id=False))
