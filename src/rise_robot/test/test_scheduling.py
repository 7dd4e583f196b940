"""Real-time priority is asked for, and said in words when it is not given."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from rise_robot.core import scheduling
from rise_robot.core.scheduling import ask_for_realtime


def test_a_refusal_is_said_and_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(scheduling.os, "sched_setscheduler", refuse)
    assert ask_for_realtime(50) == "normal (SCHED_FIFO refused: Operation not permitted)"
    assert ask_for_realtime(50, every_thread=True) == "normal (SCHED_FIFO refused: Operation not permitted)"
    assert ask_for_realtime(0) == "normal (not asked for)"


def test_every_thread_of_the_process_gets_it_also_those_that_run_already() -> None:
    program = """
        import os, threading
        from rise_robot.core.scheduling import ask_for_realtime
        end = threading.Event()
        other = threading.Thread(target=end.wait)
        other.start()
        said = ask_for_realtime(3, every_thread=True)
        policies = {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}
        end.set()
        print(said, policies == {os.SCHED_FIFO})
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120
    )
    if "refused" in found.stdout:
        pytest.skip(f"uid {os.getuid()} gets no SCHED_FIFO here: {found.stdout}")
    assert found.stdout.split() == ["SCHED_FIFO", "3", "True"], found.stderr
