"""Inject every fault into the control loop and into emulated arms, and say what they did: the tables of docs/safety.md.

python -m rise_robot.faults                            # print them
python -m rise_robot.faults --write docs/safety.md     # put them between the markers of that file
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from rise_robot.command_line import explained
from rise_robot.core.cell import Cell
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SafetyError
from rise_robot.core.faults import Fault, FaultReport, inject_all
from rise_robot.core.supervisor import Mode
from rise_robot.hardware.can_faults import CanFault, CanFaultReport, inject_can_faults

CONTROL, ARMS = "control loop", "arms"
HEAD = (
    "| fault | first other command after | at rest after | farthest joint meanwhile | in the end |\n"
    "|---|---|---|---|---|"
)
ARMS_HEAD = (
    "| fault of the right arm | noticed after | last command reached an arm after | left, right arm at rest after "
    "| farthest joint of the left arm | driver in the end | who commands in the end |\n"
    "|---|---|---|---|---|---|---|"
)


def row(fault: Fault, report: FaultReport) -> str:
    """One line of the table."""
    end = f"{report.mode.value}: {report.reason}" if report.mode in (Mode.HOLD, Mode.ESTOP) else report.mode.value
    rest = "goes on" if report.at_rest_s is None else _ms(report.at_rest_s)
    travel = "" if report.at_rest_s is None else f"{report.travel:.2f} rad"
    return f"| {fault.name} | {_ms(report.reacted_s)} | {rest} | {travel} | {end} |"


def table(reports: Mapping[Fault, FaultReport]) -> str:
    """All faults, one a line."""
    return "\n".join([HEAD, *(row(fault, report) for fault, report in reports.items())])


def arms_row(fault: CanFault, report: CanFaultReport) -> str:
    """One line of the table of the arms."""
    if fault.goes_on:
        noticed, rest, travel = _ms(report.noticed_s), "go on", ""
    else:
        noticed, travel = _ms(report.noticed_s), f"{report.travel:.2f} rad"
        rest = ", ".join("still sinking" if each is None else _ms(each) for each in report.at_rest_s)
    sent = "goes on" if report.last_sent_s is None else _ms(report.last_sent_s)
    return f"| {fault.name} | {noticed} | {sent} | {rest} | {travel} | {report.driver} | {report.commander} |"


def arms_table(reports: Mapping[CanFault, CanFaultReport]) -> str:
    """All faults of arms, CAN and driver, one a line."""
    return "\n".join([ARMS_HEAD, *(arms_row(fault, report) for fault, report in reports.items())])


def markers(name: str) -> tuple[str, str]:
    """Between what the table of this name stands."""
    return f"<!-- begin: python -m rise_robot.faults ({name}) -->", f"<!-- end ({name}) -->"


def replaced(text: str, name: str, new: str) -> str:
    """`text` with what stands between the markers replaced. Raises SafetyError without markers."""
    begin, end = markers(name)
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SafetyError(f"the file needs one line {begin!r} and one line {end!r}")
    whole = f"{re.escape(begin)}.*{re.escape(end)}"
    return re.sub(whole, lambda _: f"{begin}\n{new}\n{end}", text, flags=re.DOTALL)


def main(args: list[str] | None = None) -> int:
    description, _, examples = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "rise_robot.faults",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--contract", default=config_path("contract.yaml"), type=Path)
    parser.add_argument("--cell", default=config_path("cell.yaml"), type=Path)
    parser.add_argument("--write", type=Path, help="Markdown file whose marked tables are replaced")
    options = parser.parse_args(args)
    return explained(lambda: report(options.contract, options.cell, options.write), failure=2)


@cache
def tables(contract_file: Path, cell_file: Path) -> dict[str, str]:
    """Both tables, by name."""
    contract = Contract.load(contract_file)
    guard = ClearanceGuard(contract, Cell.load(cell_file))
    return {CONTROL: table(inject_all(contract, guard)), ARMS: arms_table(inject_can_faults(contract, guard))}


def report(contract_file: Path, cell_file: Path, write: Path | None) -> None:
    """Print the tables, and put them into the file `write`, if any."""
    found = tables(contract_file, cell_file)
    if write:
        text = write.read_text()
        for name, lines in found.items():
            text = replaced(text, name, lines)
        write.write_text(text)
    print("\n\n".join(found.values()))


def _ms(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds * 1e3:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
