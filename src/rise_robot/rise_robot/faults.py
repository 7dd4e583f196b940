"""Inject every fault into the control loop and say what it did: the table of docs/safety.md.

python -m rise_robot.faults                            # print it
python -m rise_robot.faults --write docs/safety.md     # put it between the markers of that file
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from rise_robot.command_line import explained
from rise_robot.core.cell import Cell
from rise_robot.core.clearance import ClearanceGuard
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SafetyError
from rise_robot.core.faults import Fault, FaultReport, inject_all
from rise_robot.core.supervisor import Mode

BEGIN, END = "<!-- begin: python -m rise_robot.faults -->", "<!-- end -->"
HEAD = (
    "| fault | first other command after | at rest after | farthest joint meanwhile | in the end |\n"
    "|---|---|---|---|---|"
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


def replaced(text: str, new: str) -> str:
    """`text` with what stands between the markers replaced. Raises SafetyError without markers."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SafetyError(f"the file needs one line {BEGIN!r} and one line {END!r}")
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: f"{BEGIN}\n{new}\n{END}", text, flags=re.DOTALL)


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
    parser.add_argument("--write", type=Path, help="Markdown file whose marked table is replaced")
    options = parser.parse_args(args)
    return explained(lambda: report(options.contract, options.cell, options.write), failure=2)


def report(contract_file: Path, cell_file: Path, write: Path | None) -> None:
    """Print the table, and put it into the file `write`, if any."""
    contract = Contract.load(contract_file)
    lines = table(inject_all(contract, ClearanceGuard(contract, Cell.load(cell_file))))
    if write:
        write.write_text(replaced(write.read_text(), lines))
    print(lines)


def _ms(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds * 1e3:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
