"""Every fault of an arm, its CAN bus or its driver ends with arms that rest on a safe command."""

from __future__ import annotations

import numpy as np
import pytest

from rise_robot.core.cell import Cell
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.supervisor import Mode
from rise_robot.hardware.can_faults import (
    CAN_FAULTS,
    FAULT_STEP,
    LEFT,
    CanFault,
    CanFaultReport,
    inject_can_faults,
)
from rise_robot.hardware.emulated_piper import PERIOD_S
from rise_robot.hardware.piper_robot import State

CONTRACT = Contract.load(config_path("contract.yaml"))
STOPPING = [fault for fault in CAN_FAULTS if not fault.goes_on]
SINKING = ("its own emergency stop is pressed", "the driver is told to stop (`~/emergency_stop`)")
LATCHED = [fault for fault in STOPPING if "killed" not in fault.name]


def named(fault: CanFault) -> str:
    return fault.name


@pytest.fixture(scope="module")
def reports() -> dict[CanFault, CanFaultReport]:
    return inject_can_faults(CONTRACT, ClearanceGuard(CONTRACT, Cell.load(config_path("cell.yaml"))))


def report_of(reports: dict[CanFault, CanFaultReport], name: str) -> CanFaultReport:
    return next(report for fault, report in reports.items() if fault.name == name)


@pytest.mark.parametrize("fault", CAN_FAULTS, ids=named)
def test_the_arms_moved_before_the_fault(fault: CanFault, reports: dict[CanFault, CanFaultReport]) -> None:
    positions = np.array([moment.positions for moment in reports[fault].moments[:FAULT_STEP]])
    assert (np.ptp(positions, axis=0) > 0.05).all(), "otherwise the test shows nothing"
    assert (np.abs(positions[-1] - positions[-2]) > 0.05 * PERIOD_S).any(1).all(), "both arms are moving when it comes"


@pytest.mark.parametrize("fault", STOPPING, ids=named)
def test_nothing_is_sent_any_more_and_the_healthy_arm_rests_on_the_last_command(
    fault: CanFault, reports: dict[CanFault, CanFaultReport]
) -> None:
    report = reports[fault]
    assert report.last_sent_s is not None
    assert len({moment.sent for moment in report.moments[-100:]}) == 1
    if fault.name == SINKING[1]:
        return  # both arms were told to sink
    assert report.at_rest_s[LEFT] is not None
    end = report.moments[-1]
    np.testing.assert_allclose(end.positions[LEFT], end.targets[LEFT], atol=2e-3)


@pytest.mark.parametrize("fault", CAN_FAULTS, ids=named)
def test_no_command_on_the_way_is_an_unsafe_one(fault: CanFault, reports: dict[CanFault, CanFaultReport]) -> None:
    """Targets of every 5 ms stay within limits, and move no faster than the contract allows."""
    targets = np.array([moment.targets for moment in reports[fault].moments])
    revolute = [i for i, joint in enumerate(CONTRACT.joints) if joint.unit == "rad"]
    flat = targets.reshape(len(targets), -1)
    slack = 1e-4  # frames carry 0.001 degrees
    assert np.isfinite(flat).all()
    assert (flat >= CONTRACT.joint_array("lower")[revolute] - slack).all()
    assert (flat <= CONTRACT.joint_array("upper")[revolute] + slack).all()
    if fault.goes_on:
        return  # after a gap the arms engage anew, within the tolerance of the driver
    steps = np.abs(np.diff(flat, axis=0))
    assert (steps <= CONTRACT.joint_array("max_velocity")[revolute] * PERIOD_S + slack).all()


@pytest.mark.parametrize("fault", LATCHED, ids=named)
def test_a_fault_of_an_arm_is_latched_and_takes_authority_away(
    fault: CanFault, reports: dict[CanFault, CanFaultReport]
) -> None:
    end = reports[fault].moments[-1]
    assert (end.state, end.mode) == (State.FAULT, Mode.ESTOP)


def test_what_killed_programs_leave_behind_holds(reports: dict[CanFault, CanFaultReport]) -> None:
    assert report_of(reports, "the driver is killed").moments[-1].mode is Mode.HOLD
    orphaned = report_of(reports, "the controller is killed")
    assert orphaned.moments[-1].state is State.ACTIVE and orphaned.moments[-1].starved
    for report in (orphaned, report_of(reports, "the driver is killed")):
        assert None not in report.at_rest_s


@pytest.mark.parametrize("fault", [fault for fault in CAN_FAULTS if fault.goes_on], ids=named)
def test_what_passes_by_ends_nothing(fault: CanFault, reports: dict[CanFault, CanFaultReport]) -> None:
    report = reports[fault]
    assert report.last_sent_s is None
    assert (report.moments[-1].state, report.moments[-1].mode) == (State.ACTIVE, Mode.POLICY)


def test_lost_feedback_ends_motion_within_its_age_bound(reports: dict[CanFault, CanFaultReport]) -> None:
    bound = CONTRACT.joint_state_max_age_s + 2 * PERIOD_S
    for name in ("the frame of joints 3 and 4 is lost", "its CAN bus falls silent", "both CAN buses fall silent"):
        sent = report_of(reports, name).last_sent_s
        assert sent is not None and sent <= bound, name
