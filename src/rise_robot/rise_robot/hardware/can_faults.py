"""The faults that are injected into the arms and their driver, what is expected, and what they did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract
from rise_robot.core.supervisor import Mode
from rise_robot.hardware.can_fault_scene import CanFaultScene, Moment
from rise_robot.hardware.emulated_piper import PERIOD_S
from rise_robot.hardware.piper_robot import PiperRobot, State

FAULT_STEP, STEPS = 220, 640
"""The fault comes after 1.1 s, in the middle of a movement; then the loop goes on for 2.1 s."""
AT_REST = 0.01
"""rad/s; slower joints count as resting."""
LEFT, RIGHT = 0, 1


@dataclass(frozen=True)
class CanFault:
    """name: for the table; inject: called once; mended_s: the right arm is told to mend itself this long after it;
    goes_on: the arms are expected to move on."""

    name: str
    inject: Callable[[CanFaultScene], None]
    mended_s: float | None = None
    goes_on: bool = False


@dataclass(frozen=True)
class CanFaultReport:
    """What robot and driver did; times in s from the fault.

    Attributes:
        noticed_s: until the driver refused a command, missed it or latched a fault, or the controller braked; None:
            nobody did.
        last_sent_s: until the last joint command that reached an arm; None: commands go on.
        at_rest_s: per arm (left, right), until it moved no more; None: it still moves at the end.
        travel: farthest that a joint of the left arm, which is whole, moved after the fault, rad.
        driver, commander: in words, at the end.
        moments: all periods, with those before the fault.
    """

    noticed_s: float | None
    last_sent_s: float | None
    at_rest_s: tuple[float | None, ...]
    travel: float
    driver: str
    commander: str
    moments: tuple[Moment, ...]


def _break(*faults: str) -> Callable[[CanFaultScene], None]:
    """The first fault to the right arm, a second one to the left arm."""

    def inject(scene: CanFaultScene) -> None:
        for arm, fault in zip((RIGHT, LEFT), faults, strict=False):
            scene.cell.break_arm(arm, fault)

    return inject


def _kill_driver(scene: CanFaultScene) -> None:
    scene.cell.driven = False


def _kill_controller(scene: CanFaultScene) -> None:
    scene.commanded = False


CAN_FAULTS = (
    CanFault("motor 3 is dead", _break("dead_motor:3")),
    CanFault("motor 4 is too hot", _break("overheat:4")),
    CanFault("joint 1 is blocked", _break("stuck:1")),
    CanFault("the frame of joints 3 and 4 is lost", _break("lost_pair:1")),
    CanFault("one in ten feedback frames is lost", _break("drop:10"), goes_on=True),
    CanFault("its CAN bus falls silent", _break("silence")),
    CanFault("its CAN bus is silent for 0.2 s", _break("silence"), mended_s=0.2, goes_on=True),
    CanFault("both CAN buses fall silent", _break("silence", "silence")),
    CanFault("its own emergency stop is pressed", _break("estop")),
    CanFault("its teaching button is pressed", _break("teach")),
    CanFault("the driver is told to stop (`~/emergency_stop`)", lambda scene: scene.cell.robot.emergency_stop()),
    CanFault("the driver is killed", _kill_driver),
    CanFault("the controller is killed", _kill_controller),
)


def inject_can_faults(contract: Contract, guard: ClearanceGuard) -> dict[CanFault, CanFaultReport]:
    """Run the loop once with each."""
    return {fault: _run(contract, guard, fault) for fault in CAN_FAULTS}


def _run(contract: Contract, guard: ClearanceGuard, fault: CanFault) -> CanFaultReport:
    scene = CanFaultScene(contract, guard)
    try:
        for step in range(STEPS):
            if step == FAULT_STEP:
                fault.inject(scene)
            if fault.mended_s is not None and step == FAULT_STEP + round(fault.mended_s / PERIOD_S):
                scene.cell.break_arm(RIGHT, "clear")
            scene.step()
        return _report(scene)
    finally:
        scene.cell.close()


def _report(scene: CanFaultScene) -> CanFaultReport:
    before, after = scene.moments[FAULT_STEP - 1], scene.moments[FAULT_STEP:]
    noticed = [_noticed(before, moment) for moment in after]
    sent = np.flatnonzero(np.diff([before.sent, *(moment.sent for moment in after)]))
    positions = np.array([before.positions, *(moment.positions for moment in after)])  # (N, arms, 6)
    moving: np.ndarray = np.any(np.abs(np.diff(positions, axis=0)) > AT_REST * PERIOD_S, axis=2)  # (N - 1, arms)
    output = scene.policy.outputs[-1]
    return CanFaultReport(
        noticed_s=_seconds(noticed.index(True) + 1) if any(noticed) else None,
        last_sent_s=_last(sent, len(after)),
        at_rest_s=tuple(_last(np.flatnonzero(arm), len(after)) for arm in moving.T),
        travel=float(np.abs(positions[:, LEFT] - positions[0, LEFT]).max()),
        driver=_driver(scene.cell.robot, after[-1]) if scene.cell.driven else "dead",
        commander=f"{output.mode.value}: {output.reason}".removesuffix(": ") if scene.commanded else "dead",
        moments=tuple(scene.moments),
    )


def _noticed(before: Moment, moment: Moment) -> bool:
    alarmed = moment.state is State.FAULT or moment.mode is not Mode.POLICY
    return alarmed or moment.starved or moment.refused > before.refused


def _driver(robot: PiperRobot, moment: Moment) -> str:
    if moment.state is State.ACTIVE and moment.starved:
        return "no command: the arms hold"
    return f"{moment.state.value}: {robot.reason}".removesuffix(": ")


def _last(steps: np.ndarray, count: int) -> float | None:
    """Time after the last of these steps, 0 without any; None where it goes on at the end."""
    if len(steps) == 0:
        return 0.0
    return None if steps[-1] >= count - 10 else _seconds(int(steps[-1]) + 1)


def _seconds(steps: int) -> float:
    return round(steps * PERIOD_S, 6)
