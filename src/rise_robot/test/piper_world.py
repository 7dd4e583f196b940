"""The driver's core over the vendor's SDK and a virtual CAN bus, emulated arms, and a clock that the test moves."""

from __future__ import annotations

import itertools

import can
import numpy as np

from rise_robot.core.command_guard import GuardConfig
from rise_robot.core.contract import Contract, config_path
from rise_robot.hardware.can_bus import open_bus
from rise_robot.hardware.emulated_faults import Fault
from rise_robot.hardware.emulated_piper import PERIOD_S, EmulatedPiper
from rise_robot.hardware.piper_arm import ArmSettings, PiperArm
from rise_robot.hardware.piper_frames import Frame
from rise_robot.hardware.piper_port import PiperPort
from rise_robot.hardware.piper_robot import PiperRobot

CONTRACT = Contract.load(config_path("contract.yaml"))
_worlds = itertools.count()


class World:
    """Two arms and their robot. Time passes in `run`, and in whatever waits."""

    def __init__(self, guard: GuardConfig | None = None, **settings: float) -> None:
        number = next(_worlds)
        self.now_ns = 10**15
        self.emulated = [EmulatedPiper(), EmulatedPiper()]
        self._buses = [open_bus("virtual", f"arm{number}{side}") for side in "lr"]
        arm_settings = ArmSettings(**settings)  # type: ignore[arg-type]
        self.arms = [
            PiperArm(name, self._port(f"arm{number}{side}"), arm_settings, self.run)
            for name, side in (("left", "l"), ("right", "r"))
        ]
        self.robot = PiperRobot(CONTRACT, self.arms, self.clock, guard)

    def _port(self, channel: str) -> PiperPort:
        return PiperPort("virtual", channel, "current", self.clock, thread=False)

    def clock(self) -> int:
        return self.now_ns

    def run(self, seconds: float) -> bool:
        """Let time pass, as the `wait` of the driver; the robot watches in every period."""
        for _ in range(max(round(seconds / PERIOD_S), 1)):
            self.now_ns += round(PERIOD_S * 1e9)
            for i, arm in enumerate(self.emulated):
                while (message := self._buses[i].recv(0)) is not None:
                    arm.receive(Frame(message.arbitration_id, bytes(message.data)))
                for frame in arm.step():
                    self._buses[i].send(can.Message(arbitration_id=frame.id, data=frame.data, is_extended_id=False))
                self.arms[i].port.read()
            self.robot.check()
        return False

    def activate(self) -> None:
        self.robot.connect(self.run, 1.0)
        self.robot.activate()

    def move(self, positions: np.ndarray, stamp_ns: int | None = None) -> None:
        """One joint_command, and the control period after it."""
        self.robot.execute(self.now_ns if stamp_ns is None else stamp_ns, positions, self.now_ns)
        self.run(1 / 30)

    def break_arm(self, arm: int, fault: str) -> None:
        self.emulated[arm].receive(Fault.parse(fault).frame())

    def close(self) -> None:
        self.robot.close()
        for bus in self._buses:
            bus.shutdown()
