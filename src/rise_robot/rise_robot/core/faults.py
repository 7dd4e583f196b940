"""The faults that are injected into the control loop, what is expected of it, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract
from rise_robot.core.fault_scene import POSE, FaultScene
from rise_robot.core.supervisor import Mode

FAULT_PERIOD, PERIODS = 62, 220
"""The fault comes in the middle of a movement and of a chunk; then the loop goes on for five seconds."""
SAME = 1e-9
"""rad or m; smaller differences are rounding."""


@dataclass(frozen=True)
class Fault:
    """name: for the table; inject: called once when the fault begins; then: who must command in the end."""

    name: str
    inject: Callable[[FaultScene], None]
    then: Mode = Mode.HOLD


@dataclass(frozen=True)
class FaultReport:
    """What the loop did.

    Attributes:
        reacted_s: from the fault to the first command that differs from those without it; None: none did.
        at_rest_s: from the fault to the first command of those that move no joint any more; None: the robot goes on.
        travel: the farthest that a revolute joint moved after the fault, rad.
        mode: who commands in the end; `reason`: why.
        commands: (N, A) everything that was sent.
    """

    reacted_s: float | None
    at_rest_s: float | None
    travel: float
    mode: Mode
    reason: str
    commands: np.ndarray


def _silence(*streams: str) -> Callable[[FaultScene], None]:
    return lambda scene: scene.silent.update(streams)


def _chunks(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[FaultScene], None]:
    return lambda scene: setattr(scene, "chunk", change)


def _nan_in_one(fields: dict[str, Any]) -> dict[str, Any]:
    positions = fields["positions"].copy()
    positions[200] = np.nan
    return {**fields, "positions": positions}


def _stamped(later_s: float) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda fields: {**fields, "stamp_ns": fields["stamp_ns"] + round(later_s * 1e9)}


def _same_again(scene: FaultScene) -> None:
    stamp = scene.now_ns
    scene.chunk = lambda fields: {**fields, "stamp_ns": stamp}


def _towards(goal: dict[int, float]) -> Callable[[FaultScene], None]:
    """The policy wants the joints of `goal` (index: rad) elsewhere, in a straight line that takes a second."""

    def inject(scene: FaultScene) -> None:
        begin, end = scene.commands[-1], POSE.copy()
        end[list(goal)] = list(goal.values())
        since = scene.now_ns
        scene.plan = lambda ahead: (
            begin + np.clip((scene.now_ns - since) * 1e-9 + ahead, 0.0, 1.0)[:, None] * (end - begin)
        )

    return inject


def _leap(scene: FaultScene) -> None:
    scene.plan = lambda ahead: np.tile(POSE + np.array([0.8, *4 * [0], 5, 0, -0.8, *4 * [0], 5, 0]), (len(ahead), 1))


def _jump(scene: FaultScene) -> None:
    shift = np.eye(len(POSE))[2]
    scene.joints = lambda positions: positions + shift


def _intruder(scene: FaultScene) -> None:
    scene.send_trajectory(POSE + 0.3)


def _take_over(scene: FaultScene) -> None:
    scene.controller.request(Mode.HUMAN, "takes over", scene.now_ns)
    scene.send_trajectory(scene.commands[-1])


def _emergency_stop(scene: FaultScene) -> None:
    scene.controller.request(Mode.ESTOP, "button", scene.now_ns)


def _lose_all_and_stop(scene: FaultScene) -> None:
    scene.silent.update({"policy", "joint feedback"})
    _emergency_stop(scene)


def faults(contract: Contract) -> tuple[Fault, ...]:
    """All of them; one per camera of the contract."""
    cameras = (Fault(f"camera {c.name} delivers nothing", _silence(f"camera {c.name}")) for c in contract.cameras)
    return (
        Fault("the policy falls silent", _silence("policy")),
        Fault("chunks with a NaN", _chunks(_nan_in_one)),
        Fault("chunks with other joint names", _chunks(lambda f: {**f, "joint_names": ["joint"] * len(POSE)})),
        Fault("chunks of the wrong length", _chunks(lambda f: {**f, "positions": f["positions"][:-1]})),
        Fault("chunks of another rate", _chunks(lambda f: {**f, "dt": 0.02})),
        Fault("chunks that answer observations 2 s old", _chunks(_stamped(-2.0))),
        Fault("chunks stamped 5 s ahead", _chunks(_stamped(5.0))),
        Fault("the same chunk again and again", _same_again),
        *cameras,
        Fault("joint feedback falls silent", _silence("joint feedback")),
        Fault("joint feedback of NaN", lambda scene: setattr(scene, "joints", lambda q: np.full_like(q, np.nan))),
        Fault("joint feedback stamped 10 s ahead", lambda scene: setattr(scene, "joints_clock_ns", 10**10)),
        Fault("joint feedback jumps by 1 rad", _jump, Mode.ESTOP),
        Fault("the clock is set back by 0.5 s", lambda scene: setattr(scene, "clock_ns", -5 * 10**8), Mode.POLICY),
        Fault("the clock is set ahead by 5 s", lambda scene: setattr(scene, "clock_ns", 5 * 10**9), Mode.POLICY),
        Fault("the joints are jammed", lambda scene: setattr(scene, "jammed", True)),
        Fault("the policy drives a hand into the table", _towards({1: 2.2})),
        Fault("the policy drives the hands together", _towards({0: -0.9, 7: 0.9})),
        Fault("the policy leaps, beyond the limits too", _leap, Mode.POLICY),
        Fault("trajectories while the policy commands", _intruder, Mode.POLICY),
        Fault("a person takes over and does nothing", _take_over, Mode.HUMAN),
        Fault("emergency stop", _emergency_stop, Mode.ESTOP),
        Fault("emergency stop, feedback and policy lost with it", _lose_all_and_stop, Mode.ESTOP),
    )


def inject_all(contract: Contract, guard: ClearanceGuard) -> dict[Fault, FaultReport]:
    """Run the loop once without a fault and once with each."""
    undisturbed = _run(contract, guard).commands
    return {fault: _report(_run(contract, guard, fault), undisturbed) for fault in faults(contract)}


def _run(contract: Contract, guard: ClearanceGuard, fault: Fault | None = None) -> FaultScene:
    scene = FaultScene(contract, guard)
    for period in range(PERIODS):
        if fault and period == FAULT_PERIOD:
            fault.inject(scene)
        scene.tick()
    return scene


def _report(scene: FaultScene, undisturbed: np.ndarray) -> FaultReport:
    commands, since = scene.commands, partial(_seconds_after_fault, scene.contract)
    differs = np.flatnonzero((np.abs(commands - undisturbed) > SAME).any(1))
    moves = FAULT_PERIOD + np.flatnonzero((np.abs(np.diff(commands[FAULT_PERIOD - 1 :], axis=0)) > SAME).any(1))
    revolute = np.array([joint.unit == "rad" for joint in scene.contract.joints])
    travel = np.abs(commands[FAULT_PERIOD:] - commands[FAULT_PERIOD - 1])[:, revolute].max()
    output = scene.outputs[-1]
    rests = len(moves) == 0 or moves[-1] < PERIODS - 1
    return FaultReport(
        reacted_s=since(differs[0]) if len(differs) else None,
        at_rest_s=since(moves[-1] + 1 if len(moves) else FAULT_PERIOD) if rests else None,
        travel=float(travel),
        mode=output.mode,
        reason=output.reason,
        commands=commands,
    )


def _seconds_after_fault(contract: Contract, period: int) -> float:
    return float((period - FAULT_PERIOD) * contract.control_period_s)
