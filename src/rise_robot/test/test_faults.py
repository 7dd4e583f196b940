"""Every fault ends with a safe command, and docs/safety.md says what really happens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rise_robot import faults as command
from rise_robot.core.cell import Cell
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SafetyError
from rise_robot.core.faults import FAULT_PERIOD, Fault, FaultReport, faults, inject_all
from rise_robot.core.supervisor import Mode

CONTRACT = Contract.load(config_path("contract.yaml"))
GUARD = ClearanceGuard(CONTRACT, Cell.load(config_path("cell.yaml")))
PERIOD = CONTRACT.control_period_s
SAFETY = Path(__file__).resolve().parents[3] / "docs/safety.md"
ALL = faults(CONTRACT)


@pytest.fixture(scope="module")
def reports() -> dict[str, FaultReport]:
    return {fault.name: report for fault, report in inject_all(CONTRACT, GUARD).items()}


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
def test_last_command_is_a_safe_one(fault: Fault, reports: dict[str, FaultReport]) -> None:
    report = reports[fault.name]
    assert report.mode is fault.then, report.reason
    if fault.then in (Mode.HOLD, Mode.ESTOP):
        assert report.at_rest_s is not None, "nobody commands, so nothing moves"
        np.testing.assert_array_equal(report.commands[-1], report.commands[-2])
    assert all(GUARD.margin(row[None])[0] >= -1e-9 for row in report.commands[FAULT_PERIOD::5])
    assert GUARD.margin(report.commands[-1:])[0] >= -1e-9


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
def test_no_command_on_the_way_leaves_the_limits(fault: Fault, reports: dict[str, FaultReport]) -> None:
    commands = reports[fault.name].commands
    assert np.isfinite(commands).all()
    assert (commands >= CONTRACT.joint_array("lower")).all() and (commands <= CONTRACT.joint_array("upper")).all()
    if fault.name == "the joints are jammed":
        return  # its commands go back at once to where the joints are, which moves nothing
    velocity = np.diff(commands, axis=0) / PERIOD
    assert (np.abs(velocity) <= CONTRACT.joint_array("max_velocity") * (1 + 1e-9)).all()
    assert (np.abs(np.diff(velocity, axis=0)) / PERIOD <= CONTRACT.joint_array("max_acceleration") * (1 + 1e-6)).all()


def test_what_matters_most_stops_within_its_bound(reports: dict[str, FaultReport]) -> None:
    """Control time, not wall time: bounds of the contract plus braking from full speed."""
    brake = float((CONTRACT.joint_array("max_velocity") / CONTRACT.joint_array("max_acceleration")).max()) + 2 * PERIOD
    assert reports["emergency stop"].at_rest_s <= brake
    assert reports["joint feedback falls silent"].at_rest_s <= CONTRACT.joint_state_max_age_s + brake
    for camera in CONTRACT.cameras:
        assert reports[f"camera {camera.name} delivers nothing"].at_rest_s <= camera.max_age_s + brake
    assert reports["the policy falls silent"].at_rest_s <= CONTRACT.chunk_size * PERIOD + brake


def test_an_intruder_changes_nothing(reports: dict[str, FaultReport]) -> None:
    assert reports["trajectories while the policy commands"].reacted_s is None


def test_command_fills_in_the_document_and_the_document_is_up_to_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "safety.md"
    old = SAFETY.read_text()
    for name in (command.CONTROL, command.ARMS):
        old = command.replaced(old, name, "an old table")
    page.write_text(old)
    assert command.main(["--write", str(page)]) == 0
    assert all(lines in page.read_text() for lines in capsys.readouterr().out.strip().split("\n\n"))
    assert page.read_text() == SAFETY.read_text(), "run python -m rise_robot.faults --write docs/safety.md"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(SafetyError, match="needs one line"):
        command.replaced("no markers", command.ARMS, "table")
