"""A training command in a process of its own: started, watched by what it logs, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TAIL_BYTES = 4096
END_S = 20.0
"""Until a process that was asked to end is killed."""


class BackgroundTraining:
    """`python -m MODULE FLAGS`, whose run directory is `directory`; what it prints goes to `log`.

    Ending it loses nothing but the steps since its newest checkpoint, which the same command does again.
    """

    def __init__(self, module: str, flags: Sequence[str], directory: Path, log: Path) -> None:
        self.directory, self.log = directory, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *flags],
                stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None where it still runs after so long."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def newest(self) -> dict[str, Any]:
        """The last whole line of its metrics; nothing before the first."""
        for line in reversed(_end_of(self.directory / "metrics.jsonl").splitlines()):
            try:
                return json.loads(line)
            except json.JSONDecodeError:  # half of it, written at this moment, or cut at the front
                continue
        return {}

    def last_words(self) -> str:
        """The last line that it printed."""
        lines = [line.strip() for line in _end_of(self.log).replace("\r", "\n").splitlines()]
        return next((line for line in reversed(lines) if line), "")

    def end(self) -> None:
        """End it and its workers; does nothing where it has ended."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, how)
                self.wait(END_S)


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
