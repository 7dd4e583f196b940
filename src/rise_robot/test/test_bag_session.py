"""A live session: messages from other threads, a clock that does not run yet, a disk that is full."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bag_helpers import make_episode, tiny_contract
from rosbags.rosbag2 import Reader

from rise_robot.bag import messages, recover, schema
from rise_robot.bag.session import RecordingSession, SessionConfig
from rise_robot.bag.writer import BagWriter
from rise_robot.core.errors import BagError

FULL_DISK = """
import resource, signal, sys
from bag_helpers import make_episode
from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.writer import BagWriter
from rise_robot.core.errors import BagError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
try:
    with BagWriter(sys.argv[1], make_episode().contract) as bag:
        for index in range(20):
            write_episode(bag, make_episode(f"e{index}", 1 + 10 * index))
except BagError as error:
    print(error)
"""


def joint_state(stamp: int) -> bytes:
    contract = tiny_contract()
    return bytes(messages.joint_state(stamp, contract.joint_names, make_episode().commands[0]))


def stamps_in(path: Path) -> list[int]:
    with Reader(path) as reader:
        return [stamp for c, stamp, _ in reader.messages() if c.topic.endswith("/joint_states")]


def test_messages_of_several_threads_are_all_written(tmp_path):
    session = RecordingSession(SessionConfig(tmp_path, "s"), tiny_contract())
    data = joint_state(0)
    producers = [
        threading.Thread(
            target=lambda first=first: [session.put(schema.JOINT_STATES, s, data) for s in range(first, first + 500)]
        )
        for first in (1, 501)
    ]
    for producer in producers:
        producer.start()
    while any(producer.is_alive() for producer in producers):
        session.pump(1)
    session.pump(1)
    session.close()
    assert sorted(stamps_in(tmp_path / "s")) == list(range(1, 1001))
    assert session.counts == {schema.JOINT_STATES: 1000} and session.queued == 0


def test_messages_wait_until_the_clock_runs(tmp_path):
    session = RecordingSession(SessionConfig(tmp_path, "s"), tiny_contract())
    session.put(schema.JOINT_STATES, 0, joint_state(0))
    session.pump(0)
    assert session.queued == 1
    session.pump(7_000)
    session.close()
    assert stamps_in(tmp_path / "s") == [7_000]


def test_a_nearly_full_disk_is_refused_before_recording(tmp_path):
    config = SessionConfig(tmp_path / "new" / "dir", "s", min_free_mb=10**9)
    with pytest.raises(BagError, match=r"only \d+ MB are free .* 1000000000 MB"):
        RecordingSession(config, tiny_contract())
    assert not (tmp_path / "new").exists()


def test_a_disk_that_fills_up_ends_the_recording_in_good_order(tmp_path, monkeypatch):
    session = RecordingSession(SessionConfig(tmp_path, "s"), tiny_contract())
    session.put(schema.JOINT_STATES, 1, joint_state(1))
    session.config = dataclasses.replace(session.config, min_free_mb=10**9)
    monkeypatch.setattr("rise_robot.bag.session.FLUSH_S", 0.0)
    with pytest.raises(BagError, match="MB are free"):
        session.pump(1)
    session.close()
    assert stamps_in(tmp_path / "s") == [1]


def test_a_write_that_fails_is_named_and_recover_gives_what_came_before(tmp_path):
    path = tmp_path / "bag"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    assert done.returncode == 0 and "File too large" in done.stdout and "rise_robot.bag.recover" in done.stdout
    result = recover.recover(path)
    assert result.messages > 100 and result.bad_chunks == 0
    assert len(stamps_in(path)) > 10


def test_a_closed_bag_takes_no_more(tmp_path):
    bag = BagWriter(tmp_path / "bag", tiny_contract())
    bag.close()
    bag.close()
    with pytest.raises(BagError, match="is closed"):
        bag.write(schema.JOINT_STATES, 0, joint_state(0))
