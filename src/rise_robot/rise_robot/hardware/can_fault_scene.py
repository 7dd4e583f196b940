"""Policy, controller, setpoints, driver, CAN frames and emulated arms in one loop, to be broken by faults. No ROS.

The controller is that of `core.fault_scene`; instead of its ideal robot, arms move and are measured over CAN.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract
from rise_robot.core.errors import JointCommandRefusedError
from rise_robot.core.fault_scene import POSE, START_NS, FaultScene
from rise_robot.core.interpolation import CommandInterpolator
from rise_robot.core.supervisor import Mode
from rise_robot.hardware.emulated_cell import EmulatedCell
from rise_robot.hardware.emulated_piper import PERIOD_S
from rise_robot.hardware.piper_messages import JOINTS
from rise_robot.hardware.piper_robot import State


@dataclass(frozen=True)
class Moment:
    """What one period of the arms (5 ms) ended with.

    Attributes:
        positions, targets: (arms, 6) rad, true joints and what each arm was told.
        sent: joint frames that the arms have received so far.
        refused: commands that the driver has refused so far.
        starved: the driver reports that commands have ended.
        state: of the driver; mode: who commands.
    """

    positions: np.ndarray
    targets: np.ndarray
    sent: int
    refused: int
    starved: bool
    state: State
    mode: Mode


class CanFaultScene:
    """Begins with a policy that waves both arms.

    Attributes:
        cell: arms and driver; `cell.driven` false: the driver was killed.
        policy: policy and controller.
        commanded: false: the controller was killed.
        moments: one per period.
    """

    def __init__(self, contract: Contract, guard: ClearanceGuard) -> None:
        self.cell = EmulatedCell(contract, positions=POSE[:JOINTS], start_ns=START_NS)
        for arm in self.cell.emulated:
            arm.plant.opening = arm.opening = float(POSE[JOINTS])
        self.cell.activate()
        self.policy = FaultScene(contract, guard)
        self.policy.clock_ns = self.cell.now_ns - START_NS
        self.policy.jammed, self.policy.joints = True, lambda _: self.cell.robot.positions()
        self.commanded = True
        self.moments: list[Moment] = []
        self._interpolator = CommandInterpolator(contract.control_period_s, slack=0.25)
        self._cycles = self.cell.robot.cycles()
        self._faults = 0

    def step(self) -> None:
        """One period of the arms; the controller's tick where one is due."""
        self.cell.run(PERIOD_S)
        if self.cell.driven:
            self._stop_all()
            self._follow()
        if self.commanded and self.policy.now_ns <= self.cell.now_ns:
            self._tick()
        self.moments.append(self._moment())

    def _stop_all(self) -> None:
        """A fault that the driver latches stops whoever commands."""
        if self.cell.robot.faults > self._faults:
            self._faults = self.cell.robot.faults
            self.policy.controller.request(Mode.ESTOP, "topic control/emergency_stop", self.policy.now_ns)

    def _follow(self) -> None:
        setpoint = self._interpolator.at(self.cell.now_ns) if self.commanded else None
        if setpoint is not None:
            with suppress(JointCommandRefusedError):  # counted by the driver
                self.cell.robot.execute(self.cell.now_ns, setpoint, self.cell.now_ns)

    def _tick(self) -> None:
        """Joint states have come since the last one when the driver lives and every arm has sent a cycle."""
        cycles = self.cell.robot.cycles()
        heard = self.cell.driven and all(new > old for new, old in zip(cycles, self._cycles, strict=True))
        self._cycles = cycles
        (self.policy.silent.discard if heard else self.policy.silent.add)("joint feedback")
        stamp = self.policy.now_ns
        self.policy.tick()
        output = self.policy.outputs[-1]
        if output.restarted:
            self._interpolator.reset()
        if output.command is not None:
            self._interpolator.feed(stamp, output.command)

    def _moment(self) -> Moment:
        arms, robot, outputs = self.cell.emulated, self.cell.robot, self.policy.outputs
        return Moment(
            positions=np.array([arm.plant.positions for arm in arms]),
            targets=np.array([arm.targets for arm in arms]),
            sent=sum(arm.received.get("JointCommand", 0) for arm in arms),
            refused=sum(robot.guard.refused.values()),
            starved=robot.guard.age_s(self.cell.now_ns) > robot.guard.config.timeout_s,
            state=robot.state,
            mode=outputs[-1].mode if outputs else Mode.POLICY,
        )
