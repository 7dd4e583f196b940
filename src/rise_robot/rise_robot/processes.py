"""A group of processes that live and die together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PARENT_ENV = "RISE_BRINGUP_PID"
"""Tells a node whose child it is, so that it does not outlive a bringup that was killed."""

WHERE_SIGNAL = signal.SIGUSR1
"""Upon it a node prints where each of its threads is."""
WHERE_S = 0.5


@dataclass
class _Member:
    name: str
    process: subprocess.Popen[str]
    printer: threading.Thread
    grace_s: float


class ProcessGroup:
    """Starts processes, prefixes their output with their names, and ends all when one ends.

    Each process gets a session of its own: Ctrl-C reaches this process only, which then stops the others in order.
    """

    def __init__(self) -> None:
        self._members: list[_Member] = []
        self._print_lock = threading.Lock()

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        terminal: bool = False,
        grace_s: float = 8.0,
    ) -> None:
        """Start one process.

        Args:
            terminal: it reads this program's standard input.
            grace_s: it is killed where it has not ended this long after SIGINT.
        """
        process = subprocess.Popen(
            command,
            stdin=None if terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        printer = threading.Thread(target=self._print, args=(name, process), daemon=True)
        printer.start()
        self._members.append(_Member(name, process, printer, grace_s))

    def wait(self, stop: threading.Event) -> int:
        """Wait until `stop` is set or a process ends; its exit code, 0 after `stop`."""
        while not stop.wait(0.1):
            for member in self._members:
                code = member.process.poll()
                if code is not None:
                    self.say("bringup", f"{member.name} ended with exit code {code}")
                    return code
        return 0

    def stop(self, again: threading.Event | None = None) -> list[str]:
        """End all that still run, last started first; return what did not end well, in words.

        Args:
            again: set where somebody asks once more; whoever is being waited for then hears of it.
        """
        failures = []
        for member in reversed(self._members):
            if member.process.poll() is None:
                failures += self._end(member, again or threading.Event())
        for member in self._members:
            member.printer.join(timeout=1.0)
        return failures

    def say(self, name: str, line: str) -> None:
        """Print one line with its prefix; a closed terminal is no reason to fail."""
        try:
            with self._print_lock:
                print(f"[{name}] {line}", flush=True)
        except (BrokenPipeError, ValueError):
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (lives until the process ends)

    def _end(self, member: _Member, again: threading.Event) -> list[str]:
        member.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + member.grace_s
        while member.process.poll() is None and time.monotonic() < deadline:
            if again.wait(0.02):
                again.clear()
                member.process.send_signal(signal.SIGINT)
        if member.process.poll() is None:
            member.process.send_signal(WHERE_SIGNAL)
            time.sleep(WHERE_S)
            member.process.kill()
            member.process.wait()
            return [f"{member.name} did not end within {member.grace_s:g} s and was killed"]
        return [f"{member.name} ended with exit code {member.process.returncode}"] if member.process.returncode else []

    def _print(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.say(name, line.rstrip("\n"))
