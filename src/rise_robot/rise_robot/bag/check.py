"""Is this bag fit to learn from?

    python -m rise_robot.bag.check BAG [--json] [--contract PATH] [--quick]

Per episode: rates, gaps, drops, stamps, sizes of pictures, missing streams, numbers that are none. Errors refuse the
episode (the reader refuses it too), warnings flag it. Exit code 0: every episode is usable; 1: some are refused;
2: the bag cannot be read or holds none.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rise_robot.bag.marks import Mark
from rise_robot.bag.reader import BagReader, find_bags
from rise_robot.bag.validation import Problem, StreamReport, find_problems, stream_reports
from rise_robot.core.contract import Contract
from rise_robot.core.errors import RiseRobotError


@dataclass
class EpisodeReport:
    """Verdict on one episode; `streams` by relative topic."""

    episode_id: str
    kind: str
    outcome: str
    score: float | None
    duration_s: float
    streams: dict[str, StreamReport] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)


@dataclass
class BagReport:
    """Verdict on one bag: its own problem (then nothing else could be read), or its episodes."""

    bag: str
    contract: str = ""
    error: str = ""
    episodes: list[EpisodeReport] = field(default_factory=list)


def check_bag(path: Path, contract: Contract | None = None, *, decode: bool = True) -> BagReport:
    """Report of one bag; never raises for what is wrong with the bag.

    Args:
        contract: expected; None takes the bag's own.
        decode: also decode every picture.
    """
    report = BagReport(str(path))
    try:
        with BagReader(path, contract) as reader:
            report.contract = f"{reader.contract.name} ({reader.contract.digest})"
            report.episodes = [_check_episode(reader, mark, decode) for mark in reader.marks]
    except RiseRobotError as error:
        report.error = str(error)
    return report


def _check_episode(reader: BagReader, mark: Mark, decode: bool) -> EpisodeReport:
    end = mark.start_ns if mark.end_ns is None else mark.end_ns
    score = mark.score if mark.score == mark.score else None
    report = EpisodeReport(mark.episode_id, mark.kind, mark.outcome, score, (end - mark.start_ns) * 1e-9)
    if mark.end_ns is None:
        report.problems.append(Problem("error", "unfinished", "the recording stopped before the episode ended"))
        return report
    if mark.late:
        report.problems.append(Problem("warning", "late_start", "the recording began while the episode was running"))
    try:
        episode = reader.episode(mark)
    except RiseRobotError as error:
        report.problems.append(Problem("error", "unreadable", str(error)))
        return report
    report.streams = stream_reports(episode)
    report.problems += find_problems(episode, decode=decode)
    return report


def as_text(report: BagReport) -> str:
    """For people: one line per episode, its problems below it."""
    if report.error:
        return f"{report.bag}: ERROR {report.error}"
    lines = [f"{report.bag}: contract {report.contract}, {len(report.episodes)} episodes"]
    for episode in report.episodes:
        rates = ", ".join(f"{topic} {stream.rate_hz:.1f} Hz" for topic, stream in episode.streams.items())
        verdict = "REFUSED" if episode.refused else "ok"
        lines.append(
            f"  {episode.episode_id}: {verdict}, {episode.kind}, {episode.outcome}, {episode.duration_s:.1f} s; {rates}"
        )
        lines += [f"    {problem.severity}: {problem.text}" for problem in episode.problems]
    return "\n".join(lines)


def exit_code(reports: list[BagReport]) -> int:
    """0 all usable, 1 some episodes refused, 2 a bag cannot be read."""
    if any(report.error or not report.episodes for report in reports):
        return 2
    return int(any(episode.refused for report in reports for episode in report.episodes))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rise_robot.bag.check", description="Is a bag fit to learn from?")
    parser.add_argument("bag", type=Path, help="bag directory, .mcap or .db3 file, or a directory of bags")
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")
    parser.add_argument("--contract", type=Path, help="contract that the bag must have (default: its own)")
    parser.add_argument("--quick", action="store_true", help="do not decode the pictures")
    options = parser.parse_args(arguments)
    try:
        contract = Contract.load(options.contract) if options.contract else None
        reports = [check_bag(bag, contract, decode=not options.quick) for bag in find_bags(options.bag)]
    except RiseRobotError as error:
        reports = [BagReport(str(options.bag), error=str(error))]
    code = exit_code(reports)
    if options.json:
        print(json.dumps({"exit_code": code, "bags": [asdict(report) for report in reports]}))
    else:
        print("\n".join(as_text(report) for report in reports))
    return code


if __name__ == "__main__":
    sys.exit(main())
