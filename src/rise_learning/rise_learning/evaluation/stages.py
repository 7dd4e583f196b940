"""Stages of a long run, each a few commands: printed, timed, remembered, continued after an interruption."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rise_learning.errors import RiseLearningError
from rise_learning.training.run_directory import write_json

Command = tuple[str, ...]


class StageError(RiseLearningError):
    """A command of a stage failed."""


@dataclass(frozen=True)
class Stage:
    """Commands that belong together.

    Attributes:
        commands: each "-m module ..." for this Python.
        outputs: what they write; removed before the stage begins anew.
        resumes: the commands continue by themselves where they were interrupted.
    """

    name: str
    commands: tuple[Command, ...]
    outputs: tuple[Path, ...]
    resumes: bool = False


@dataclass(frozen=True)
class Lanes:
    """Stages of which each lane needs its own ones alone: the lanes run at the same time, one on each core.

    The first lane is shown; what the others print goes to a file per stage.
    """

    lanes: tuple[tuple[Stage, ...], ...]


Plan = Sequence[Stage | Lanes]


def lanes_of(entry: Stage | Lanes) -> tuple[tuple[Stage, ...], ...]:
    return entry.lanes if isinstance(entry, Lanes) else ((entry,),)


def all_stages(plan: Plan) -> list[Stage]:
    """The stages of a plan, lane after lane."""
    return [stage for entry in plan for lane in lanes_of(entry) for stage in lane]


class StageLog:
    """Which stages are done, with what commands and in what time, in one JSON file that survives kill -9."""

    def __init__(self, path: Path, contract: str = "") -> None:
        """
        Args:
            contract: digest of what all stages have in common; what was done with another one is not done.
        """
        self.path, self._contract = path, contract
        self._lock = threading.RLock()
        self.entries: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}

    def is_done(self, stage: Stage) -> bool:
        return self._same(stage) and self.entries[stage.name]["done"]

    def is_begun(self, stage: Stage) -> bool:
        """Begun with these very commands, and not finished."""
        return self._same(stage) and not self.entries[stage.name]["done"]

    def begin(self, stage: Stage, later: Sequence[Stage], *, anew: bool) -> None:
        """Note that a stage runs; what comes after it has to run as well, even if this process is killed."""
        with self._lock:
            for follower in later:
                self.entries.pop(follower.name, None)
            seconds = 0.0 if anew else self.entries[stage.name]["seconds"]
            begun = {"commands": _lines(stage), "contract": self._contract, "done": False, "seconds": seconds}
            self.entries[stage.name] = begun
            self._write()

    def spend(self, stage: Stage, seconds: float, *, done: bool) -> None:
        """Add wall time, also that of an attempt that was interrupted."""
        with self._lock:
            entry = self.entries[stage.name]
            entry["seconds"], entry["done"] = entry["seconds"] + seconds, done
            self._write()

    def timings(self, plan: Plan) -> dict[str, float]:
        """Seconds by stage, of those that ran."""
        return {s.name: round(self.seconds(s), 1) for s in all_stages(plan) if s.name in self.entries}

    def wall_time(self, plan: Plan) -> float:
        """Seconds of the whole plan: of lanes side by side the longest counts."""
        return sum(max(sum(map(self.seconds, lane)) for lane in lanes_of(entry)) for entry in plan)

    def seconds(self, stage: Stage) -> float:
        return float(self.entries[stage.name]["seconds"]) if stage.name in self.entries else 0.0

    def _same(self, stage: Stage) -> bool:
        known = self.entries.get(stage.name, {})
        return known.get("commands") == _lines(stage) and known.get("contract", self._contract) == self._contract

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, self.entries)


@dataclass(frozen=True)
class _Runner:
    """Runs the stages of a plan."""

    log: StageLog
    environment: dict[str, str]
    numbers: dict[str, str]

    def lane(self, lane: Sequence[Stage], later: Sequence[Stage], stale: bool, *, shown: bool) -> bool:
        """Run what is not done; returns whether anything ran."""
        for index, stage in enumerate(lane):
            title = f"[{self.numbers[stage.name]}] {stage.name}"
            if not stale and self.log.is_done(stage):
                print(f"{title}: done in {self.log.seconds(stage):.0f} s", flush=True)
                continue
            anew = stale or not (stage.resumes and self.log.is_begun(stage))
            stale = True
            if anew:
                remove(stage.outputs)
            self.log.begin(stage, [*lane[index + 1 :], *later], anew=anew)
            file = None if shown else self.log.path.parent / "logs" / f"{stage.name}.log"
            print(f"\n{title}" + (f", meanwhile; it prints to {file}" if file else ""), flush=True)
            self.stage(stage, file)
            if file:
                print(f"\n{title}: done in {self.log.seconds(stage):.0f} s", flush=True)
        return stale

    def stage(self, stage: Stage, file: Path | None) -> None:
        """Every command of a stage as a process of its own, printed as a person would type it."""
        begun, done = time.monotonic(), False
        with ExitStack() as stack:
            output: IO[str] | None = None
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(file.open("a"))
            try:
                for command in stage.commands:
                    print("$ " + shlex.join(("python", *command)), flush=True)
                    code = subprocess.run(
                        [sys.executable, *command], env=self.environment, check=False, stdout=output, stderr=output
                    ).returncode
                    if code:
                        raise StageError(
                            f"stage {stage.name}: exit code {code} of python {shlex.join(command)}; "
                            + (f"{file} says why; " if file else "")
                            + "run the demo again to continue with this stage"
                        )
                done = True
            finally:
                self.log.spend(stage, time.monotonic() - begun, done=done)


def run_stages(plan: Plan, log: StageLog, environment: dict[str, str], *, fresh: bool = False) -> None:
    """Run what is not done yet, in order; once a stage has run, everything that comes after it runs as well.

    Raises:
        StageError: a command failed, and what ran beside it has ended; the next call continues with its stage.
    """
    stages, later = all_stages(plan), all_stages(plan)
    numbers = {stage.name: f"{number}/{len(stages)}" for number, stage in enumerate(stages, start=1)}
    runner, stale = _Runner(log, environment, numbers), fresh
    for entry in plan:
        first, *others = lanes_of(entry)
        del later[: len(first) + sum(map(len, others))]
        with ThreadPoolExecutor(max(1, len(others))) as pool:
            beside = [pool.submit(runner.lane, lane, tuple(later), stale, shown=False) for lane in others]
            ran = runner.lane(first, tuple(later), stale, shown=True)
        stale = any([ran, *(lane.result() for lane in beside)])


def remove(paths: Sequence[Path]) -> None:
    """Delete files and directories, those that exist."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _lines(stage: Stage) -> list[str]:
    return [shlex.join(command) for command in stage.commands]
