"""Killed and damaged recordings: less than a second is lost, and one command repairs the bag."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bag_helpers import make_episode, same

from rise_robot.bag import recover
from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.reader import BagReader, read_episodes
from rise_robot.bag.writer import BagWriter
from rise_robot.core.errors import BagError

RECORDER = """
import sys, time
from bag_helpers import tiny_contract
from rise_robot.bag import messages, schema
from rise_robot.bag.writer import BagWriter
contract = tiny_contract()
with BagWriter(sys.argv[1], contract) as bag:
    while True:
        now = time.time_ns()
        data = messages.joint_state(now, contract.joint_names, [0.0] * contract.action_dim)
        bag.write(schema.JOINT_STATES, now, data)
        print(now, flush=True)
        time.sleep(1 / 60)
"""


def truncated(path: Path, share: float) -> Path:
    """A bag of three episodes as a crash leaves it: no metadata, the file cut off."""
    with BagWriter(path, make_episode().contract) as bag:
        for index in range(3):
            write_episode(bag, make_episode(f"e{index}", 1 + 10 * index, steps=61, seed=index))
    (path / "metadata.yaml").unlink()
    file = path / f"{path.name}.mcap"
    os.truncate(file, int(file.stat().st_size * share))
    return path


def test_killing_the_recorder_loses_less_than_a_second(tmp_path):
    path = tmp_path / "bag"
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    )
    assert process.stdout is not None
    written = [int(process.stdout.readline())]
    while time.time_ns() - written[0] < 2.2e9:
        written.append(int(process.stdout.readline()))
    process.send_signal(signal.SIGKILL)
    written += [int(line) for line in process.stdout.read().split()]
    process.wait()
    assert recover.main([str(path)]) == 0
    saved = recovered_stamps(path)
    assert saved == written[: len(saved)]
    assert (written[-1] - saved[-1]) * 1e-9 < 1.0


def recovered_stamps(path: Path) -> list[int]:
    from rosbags.rosbag2 import Reader

    with Reader(path) as reader:
        connections = [c for c in reader.connections if c.topic == "/joint_states"]
        return [stamp for _, stamp, _ in reader.messages(connections)]


def test_a_truncated_bag_is_a_named_error_that_says_how_to_repair_it(tmp_path):
    path = truncated(tmp_path / "bag", 0.5)
    with pytest.raises(BagError, match=f"rise_robot.bag.recover {path}"):
        list(read_episodes(path))


def test_a_cut_file_with_metadata_is_a_named_error_too(tmp_path):
    with BagWriter(tmp_path / "bag", make_episode().contract) as bag:
        write_episode(bag, make_episode())
    file = tmp_path / "bag" / "bag.mcap"
    os.truncate(file, file.stat().st_size - 100)
    with pytest.raises(BagError, match="rise_robot.bag.recover"):
        list(read_episodes(tmp_path / "bag"))


def test_recover_restores_every_complete_chunk_and_keeps_the_damaged_bag(tmp_path):
    path = truncated(tmp_path / "bag", 0.7)
    result = recover.recover(path)
    assert Path(result.damaged).is_dir() and result.lost_bytes > 0 and result.bad_chunks == 0
    told: list[str] = []
    episodes = list(read_episodes(path, skipped=told.append))
    assert [e.episode_id for e in episodes] == ["e0", "e1"] and "e2" in told[0]
    assert all(same(e, make_episode(e.episode_id, 1 + 10 * i, 61, i)) for i, e in enumerate(episodes))
    assert [e.episode_id for e in read_episodes(tmp_path, skipped=told.append)] == ["e0", "e1"]


def test_a_damaged_chunk_in_the_middle_costs_that_chunk_only(tmp_path):
    path = truncated(tmp_path / "bag", 0.999)
    file = path / "bag.mcap"
    data = bytearray(file.read_bytes())
    chunk = data.index(b"\x06", len(data) // 2)
    result = recover.Recovery("")
    total = sum(1 for _ in recover.read_records(file, result))
    start = next(offset for offset, opcode in _records(bytes(data)) if opcode == 6 and offset > chunk)
    data[start + 50 : start + 60] = b"\xff" * 10
    file.write_bytes(bytes(data))
    result = recover.recover(path)
    assert result.bad_chunks == 1 and 0 < result.messages < total
    with BagReader(path) as reader:
        assert [mark.episode_id for mark in reader.marks] == ["e0", "e1", "e2"]


def _records(data: bytes) -> list[tuple[int, int]]:
    """(offset, opcode) of the top-level records of an MCAP file."""
    offset, found = 8, []
    while offset + 9 <= len(data):
        found.append((offset, data[offset]))
        offset += 9 + int.from_bytes(data[offset + 1 : offset + 9], "little")
    return found


def test_recover_leaves_a_sound_bag_alone_and_refuses_what_holds_nothing(tmp_path, capsys):
    with BagWriter(tmp_path / "bag", make_episode().contract) as bag:
        write_episode(bag, make_episode())
    before = (tmp_path / "bag" / "bag.mcap").read_bytes()
    assert recover.main([str(tmp_path / "bag")]) == 0
    assert (tmp_path / "bag" / "bag.mcap").read_bytes() == before
    assert recover.main([str(tmp_path)]) == 2
    assert "no .mcap or .db3 file" in capsys.readouterr().err
    empty = truncated(tmp_path / "empty", 0.0005)
    with pytest.raises(BagError, match="not one complete chunk"):
        recover.recover(empty)
    assert (empty / "empty.mcap").exists()


def test_leaving_the_writer_on_an_error_keeps_what_was_written(tmp_path):
    with pytest.raises(RuntimeError), BagWriter(tmp_path / "bag", make_episode().contract) as bag:
        write_episode(bag, make_episode())
        raise RuntimeError("the recorder crashed")
    assert len(list(read_episodes(tmp_path / "bag"))) == 1
