"""Turn recordings in another format into bags that every learning command reads.

    python -m rise_learning.import_episodes --format droid --source RECORDINGS --out bags/droid --hold-out train/3
    python -m rise_learning.import_episodes --format lerobot --source DATASET --contract robot.yaml \
        --mapping columns.yaml --out bags/public

One bag per split of the source (OUT/train, OUT/val) and, with --hold-out, OUT/held_out. Nothing is clipped: what lies
outside the limits of the contract is counted and reported.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tyro
from tqdm import tqdm

from rise_learning import cli
from rise_learning.data.importers import get_format
from rise_learning.data.importers.recording import Recording, RecordingSource
from rise_learning.errors import ConfigError, DataError
from rise_robot.bag.episode import Episode
from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.writer import BagWriter
from rise_robot.core.contract import Contract, config_path

FIRST_START_NS = 1_000_000_000
PAUSE_NS = 1_000_000_000
"""Made-up time between two episodes of a bag."""
HELD_OUT = "held_out"


@dataclass(frozen=True)
class Args:
    """Flags of import_episodes."""

    source: Path
    """Directory of recordings."""
    out: Path
    """Directory of the new bags, one per split."""
    format: str = "droid"
    """Format of the recordings."""
    contract: Path | None = None
    """Contract of the bags; the format's own when not given, where it has one."""
    mapping: Path | None = None
    """Which columns and videos are the contract's joints and cameras (LeRobot); the obvious ones when not given."""
    hold_out: tuple[str, ...] = ()
    """Recordings (SPLIT/ID) that go to OUT/held_out instead of their split's bag."""
    json: bool = False
    """Print the summary as JSON."""


@dataclass
class BagSummary:
    """What went into one bag.

    Attributes:
        recorded_s: time of all its episodes.
        outside_position: joint -> commands outside the contract's position limits.
        outside_velocity: joint -> steps at which the command moves faster than the contract's limit.
    """

    bag: str
    episodes: int = 0
    successes: int = 0
    failures: int = 0
    steps: int = 0
    frames: int = 0
    recorded_s: float = 0.0
    outside_position: dict[str, int] = field(default_factory=dict)
    outside_velocity: dict[str, int] = field(default_factory=dict)

    def add(self, episode: Episode) -> None:
        """Count one more episode."""
        contract, commands = episode.contract, episode.commands
        self.episodes += 1
        self.successes += episode.outcome == "success"
        self.failures += episode.outcome == "failure"
        self.steps += len(commands)
        self.frames += len(next(iter(episode.images.values()))[0])
        self.recorded_s += episode.duration_s
        outside = (commands < contract.joint_array("lower")) | (commands > contract.joint_array("upper"))
        speed = np.abs(np.diff(commands, axis=0)) * contract.control_rate_hz
        _count(self.outside_position, contract, outside)
        _count(self.outside_velocity, contract, speed > contract.joint_array("max_velocity"))


def _count(counts: dict[str, int], contract: Contract, where: np.ndarray) -> None:
    for name, number in zip(contract.joint_names, where.sum(0).tolist(), strict=True):
        if number:
            counts[name] = counts.get(name, 0) + number


def import_episodes(args: Args) -> list[BagSummary]:
    """Write the bags: all of them or, where a recording is refused, none.

    Raises:
        ConfigError: unknown format, or --hold-out names no recording.
        DataError: a recording is broken or incomplete.
        BagError: a bag exists already.
    """
    default_contract, open_source = get_format(args.format)
    if args.contract is None and default_contract is None:
        raise ConfigError(f"--format {args.format} is of many robots; describe this one in a file for --contract")
    contract = Contract.load(args.contract or config_path(str(default_contract)))
    source = open_source(args.source, contract, args.mapping)
    bags: dict[str, list[Recording]] = {}
    recordings = source.recordings()
    names = [recording.name for recording in recordings]
    if unknown := sorted(set(args.hold_out) - set(names)):
        raise ConfigError(f"--hold-out {' '.join(unknown)}: no such recording; there are {', '.join(names)}")
    for recording in recordings:
        bags.setdefault(HELD_OUT if recording.name in args.hold_out else recording.split, []).append(recording)
    for name in bags:
        if (args.out / name).exists():
            raise DataError(f"{args.out / name} exists already; choose another --out, bags are never overwritten")
    try:
        with tqdm(total=len(recordings), desc="importing", unit="episode", disable=args.json) as bar:
            return [_write_bag(args.out / name, contract, source, chosen, bar) for name, chosen in bags.items()]
    except BaseException:
        for name in bags:  # none of them was there before
            shutil.rmtree(args.out / name, ignore_errors=True)
        raise


def _write_bag(
    path: Path, contract: Contract, source: RecordingSource, recordings: list[Recording], bar: tqdm
) -> BagSummary:
    path.parent.mkdir(parents=True, exist_ok=True)
    summary, start_ns = BagSummary(str(path)), FIRST_START_NS
    with BagWriter(path, contract) as bag:
        for recording in recordings:
            episode = source.read(recording, start_ns)
            write_episode(bag, episode)
            summary.add(episode)
            start_ns = episode.end_ns + PAUSE_NS
            bar.update()
    return summary


def as_text(summary: BagSummary) -> str:
    """For people: one line per bag, and what lies outside the limits."""
    lines = [
        f"{summary.bag}: {summary.episodes} episodes ({summary.successes} successes, {summary.failures} failures), "
        f"{summary.steps} actions, {summary.frames} frames per camera, {summary.recorded_s:.0f} s"
    ]
    for what, counts in (("position", summary.outside_position), ("velocity", summary.outside_velocity)):
        if counts:
            listed = ", ".join(f"{name} {number}" for name, number in counts.items())
            lines.append(f"  commands outside the contract's {what} limits (kept as recorded): {listed}")
    return "\n".join(lines)


def main() -> None:
    def run() -> None:
        args = tyro.cli(Args, description=__doc__)
        summaries = import_episodes(args)
        print(json.dumps([asdict(s) for s in summaries]) if args.json else "\n".join(map(as_text, summaries)))

    cli.run(run)


if __name__ == "__main__":
    main()
