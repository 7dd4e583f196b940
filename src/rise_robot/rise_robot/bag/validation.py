"""What makes an episode unusable (error) or worth a look (warning). One definition for the reader and for `check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rise_robot.bag.episode import Episode
from rise_robot.core.errors import BagError
from rise_robot.core.images import decode_jpeg
from rise_robot.core.resampling import resample_episode

GAP_PERIODS = 1.5
"""A longer time between two messages counts as a gap."""
MISSED_S = 1.0
"""An episode whose joint states begin later than this was joined, not recorded from its start."""
DROP_SHARE = 0.02
"""More missing messages than this are worth a warning."""


@dataclass(frozen=True)
class Problem:
    """One finding: severity error refuses the episode, warning flags it; code is stable, text is for people."""

    severity: Literal["error", "warning"]
    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class StreamReport:
    """Rate and gaps of one stream within an episode.

    Attributes:
        rate_hz: messages per s; 0 with fewer than two.
        gaps: times between messages longer than 1.5 periods; longest_gap_s: the longest time between two.
        missing: messages that the gaps lack.
        repeated_stamps: messages with the stamp of the one before.
    """

    count: int
    rate_hz: float
    gaps: int
    longest_gap_s: float
    missing: int
    repeated_stamps: int


def report_stream(stamps: np.ndarray, expected_hz: float) -> StreamReport:
    """Report of (N,) int64 stamps in ns, rising."""
    if len(stamps) < 2:
        return StreamReport(len(stamps), 0.0, 0, 0.0, 0, 0)
    steps = np.diff(stamps) * 1e-9
    long = steps[steps > GAP_PERIODS / expected_hz]
    span = float(stamps[-1] - stamps[0]) * 1e-9
    return StreamReport(
        count=len(stamps),
        rate_hz=(len(stamps) - 1) / span if span else 0.0,
        gaps=len(long),
        longest_gap_s=float(steps.max()),
        missing=int(np.rint(long * expected_hz - 1).sum()),
        repeated_stamps=int((steps == 0).sum()),
    )


def stream_reports(episode: Episode) -> dict[str, StreamReport]:
    """Reports of the streams that learning uses, by relative topic."""
    rate = episode.contract.control_rate_hz
    reports = {
        "joint_states": report_stream(episode.joint_stamps, rate),
        "joint_command": report_stream(episode.command_stamps, rate),
    }
    for camera in episode.contract.cameras:
        reports[camera.compressed_topic] = report_stream(episode.images[camera.name][0], camera.rate_hz)
    return reports


def first_error(episode: Episode) -> Problem | None:
    """Why the reader refuses an episode; pictures are not decoded (`check` does that)."""
    return next((problem for problem in find_problems(episode, decode=False) if problem.severity == "error"), None)


def find_problems(episode: Episode, *, decode: bool = True) -> Iterator[Problem]:
    """Everything that is wrong with an episode, errors of the numbers first.

    Args:
        decode: also decode every picture.
    """
    yield from _numbers(episode)
    yield from _beginning(episode)
    try:
        late = resample_episode(episode).late_start_s
    except BagError as error:
        yield Problem("error", "resampling", str(error).removeprefix(f"{episode.label}: "))
    else:
        if late > episode.contract.actions_per_frame * episode.contract.control_period_s:
            yield Problem("warning", "late_start", f"the grid begins {late:.3f} s after the first joint_command")
    yield from _rates(episode)
    if decode:
        yield from _pictures(episode)


def _numbers(episode: Episode) -> Iterator[Problem]:
    for name, values in (("joint_states", episode.joint_positions), ("joint_command", episode.commands)):
        bad = ~np.isfinite(values)
        if bad.any():
            rows, joints = np.nonzero(bad)
            names = sorted({episode.contract.joint_names[joint] for joint in joints})
            yield Problem(
                "error", "not_finite", f"{name}: {len(set(rows))} messages with NaN or infinite {', '.join(names)}"
            )
    lower, upper = episode.contract.joint_array("lower"), episode.contract.joint_array("upper")
    outside = (episode.commands < lower - 1e-6) | (episode.commands > upper + 1e-6)
    if outside.any():
        names = sorted({episode.contract.joint_names[joint] for joint in np.nonzero(outside)[1]})
        yield Problem("warning", "limits", f"joint_command leaves the contract's limits of {', '.join(names)}")
    if not np.isfinite([event.score for event in episode.events]).all():
        yield Problem("error", "not_finite", "episode/rubric: a score is NaN or infinite")


def _beginning(episode: Episode) -> Iterator[Problem]:
    """Marks are latched: a recorder that comes later hears them, too, but what went before is not in the bag."""
    if not episode.start_ns or not len(episode.joint_stamps):
        return
    missing = (int(episode.joint_stamps[0]) - episode.start_ns) * 1e-9
    if missing > MISSED_S:
        text = f"the recording began {missing:.1f} s after the episode"
        if episode.kind == "demonstration":
            yield Problem("error", "late_recording", f"{text}: of what it lacks a demonstration would teach progress")
        else:
            yield Problem("warning", "late_recording", text)


def _rates(episode: Episode) -> Iterator[Problem]:
    for topic, report in stream_reports(episode).items():
        if report.missing > max(1, DROP_SHARE * report.count):
            yield Problem(
                "warning",
                "drops",
                f"{topic}: about {report.missing} of {report.count + report.missing} messages are missing in "
                f"{report.gaps} gaps, the longest {report.longest_gap_s:.3f} s",
            )
        if report.repeated_stamps:
            yield Problem("warning", "stamps", f"{topic}: {report.repeated_stamps} messages repeat a stamp")


def _pictures(episode: Episode) -> Iterator[Problem]:
    for camera in episode.contract.cameras:
        bad, reason = 0, ""
        for jpeg in episode.images[camera.name][1]:
            try:
                decode_jpeg(jpeg, (camera.height, camera.width))
            except BagError as error:
                bad, reason = bad + 1, reason or str(error)
        if bad:
            yield Problem(
                "error", "pictures", f"{camera.compressed_topic}: {bad} unusable pictures, the first: {reason}"
            )
