"""Stages of a long run, each a few commands: printed, timed, remembered, continued after an interruption."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


class StageLog:
    """Which stages are done, with what commands and in what time, in one JSON file that survives kill -9."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}

    def is_done(self, stage: Stage) -> bool:
        return self._same(stage) and self.entries[stage.name]["done"]

    def is_begun(self, stage: Stage) -> bool:
        """Begun with these very commands, and not finished."""
        return self._same(stage) and not self.entries[stage.name]["done"]

    def begin(self, stage: Stage, later: Sequence[Stage], *, anew: bool) -> None:
        """Note that a stage runs; what comes after it has to run as well, even if this process is killed."""
        for follower in later:
            self.entries.pop(follower.name, None)
        seconds = 0.0 if anew else self.entries[stage.name]["seconds"]
        self.entries[stage.name] = {"commands": _lines(stage), "done": False, "seconds": seconds}
        self._write()

    def spend(self, stage: Stage, seconds: float, *, done: bool) -> None:
        """Add wall time, also that of an attempt that was interrupted."""
        entry = self.entries[stage.name]
        entry["seconds"], entry["done"] = entry["seconds"] + seconds, done
        self._write()

    def timings(self, stages: Sequence[Stage]) -> dict[str, float]:
        """Seconds by stage, of those that ran."""
        return {s.name: round(self.entries[s.name]["seconds"], 1) for s in stages if s.name in self.entries}

    def _same(self, stage: Stage) -> bool:
        return stage.name in self.entries and self.entries[stage.name]["commands"] == _lines(stage)

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, self.entries)


def run_stages(stages: Sequence[Stage], log: StageLog, environment: dict[str, str], *, fresh: bool = False) -> None:
    """Run what is not done yet, in order; once a stage has run, everything after it runs as well.

    Raises:
        StageError: a command failed; the next call continues with its stage.
    """
    stale = fresh
    for number, stage in enumerate(stages, start=1):
        title = f"[{number}/{len(stages)}] {stage.name}"
        if not stale and log.is_done(stage):
            print(f"{title}: done in {log.entries[stage.name]['seconds']:.0f} s", flush=True)
            continue
        anew = stale or not (stage.resumes and log.is_begun(stage))
        stale = True
        if anew:
            remove(stage.outputs)
        log.begin(stage, stages[number:], anew=anew)
        print(f"\n{title}", flush=True)
        run_stage(stage, log, environment)


def run_stage(stage: Stage, log: StageLog, environment: dict[str, str]) -> None:
    """Every command of a stage as a process of its own, printed as a person would type it."""
    begun, done = time.monotonic(), False
    try:
        for command in stage.commands:
            print("$ " + shlex.join(("python", *command)), flush=True)
            code = subprocess.run([sys.executable, *command], env=environment, check=False).returncode
            if code:
                raise StageError(
                    f"stage {stage.name}: exit code {code} of python {shlex.join(command)}; "
                    "run the demo again to continue with this stage"
                )
        done = True
    finally:
        log.spend(stage, time.monotonic() - begun, done=done)


def remove(paths: Sequence[Path]) -> None:
    """Delete files and directories, those that exist."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _lines(stage: Stage) -> list[str]:
    return [shlex.join(command) for command in stage.commands]
