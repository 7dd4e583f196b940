"""What goes into a bag comes out: MCAP and sqlite3, namespaces, labels, discards, foreign recorders."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from bag_helpers import make_episode, same, tiny_contract
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from rise_robot.bag import schema
from rise_robot.bag.episode_writer import episode_status, write_episode
from rise_robot.bag.reader import read_episodes
from rise_robot.bag.writer import BagWriter
from rise_robot.core.errors import BagError, ContractMismatchError


def write(path: Path, *episodes, **options) -> Path:
    with BagWriter(path, episodes[0].contract, **options) as bag:
        for episode in episodes:
            write_episode(bag, episode)
    return path


def as_foreign(source: Path, target: Path, plugin: StoragePlugin, log_offset: int, drop: tuple[str, ...] = ()) -> Path:
    """The bag as another recorder writes it: other storage, times of recording on another clock, no custom data, and
    topics nobody asked for."""
    with Reader(source) as reader, Writer(target, version=9, storage_plugin=plugin) as writer:
        ours = {}
        for connection, stamp, data in reader.messages():
            if connection.topic in drop:
                continue
            if connection.topic not in ours:
                ours[connection.topic] = writer.add_connection(
                    connection.topic, connection.msgtype, typestore=schema.typestore()
                )
            writer.write(ours[connection.topic], stamp + log_offset, data)
        extra = writer.add_connection("/rosout2", schema.STRING_TYPE, typestore=schema.typestore())
        writer.write(extra, log_offset, b"\x00\x01\x00\x00\x02\x00\x00\x00a\x00")
    return target


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("namespace", ["/", "/lab/robot_1"])
def test_what_is_written_is_read_back_exactly(tmp_path, compress, namespace):
    human = np.arange(31) % 3 == 0
    noisy = make_episode("e1", 10.0, seed=1, human=human, kind="dagger", outcome="failure")
    noisy = dataclasses.replace(noisy, clean_commands=noisy.commands + 0.01)
    episodes = [make_episode(), noisy]
    path = write(tmp_path / "bag", *episodes, compress=compress, namespace=namespace)
    back = list(read_episodes(path))
    assert len(back) == 2 and all(same(a, b) for a, b in zip(episodes, back, strict=True))


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_bags_of_other_recorders_read_the_same(tmp_path, plugin):
    episodes = [make_episode(), make_episode("e1", 10.0, seed=1)]
    ours = write(tmp_path / "ours", *episodes)
    wall_clock = 1_700_000_000 * 10**9
    theirs = as_foreign(ours, tmp_path / "theirs", plugin, wall_clock)
    assert all(same(a, b) for a, b in zip(episodes, read_episodes(theirs), strict=True))


def test_a_directory_of_bags_reads_in_order_of_name(tmp_path):
    write(tmp_path / "bags" / "b", make_episode("second"))
    write(tmp_path / "bags" / "a", make_episode("first"))
    assert [episode.episode_id for episode in read_episodes(tmp_path / "bags")] == ["first", "second"]


def test_a_bag_without_contract_needs_one_named(tmp_path):
    ours = write(tmp_path / "ours", make_episode())
    theirs = as_foreign(ours, tmp_path / "theirs", StoragePlugin.MCAP, 0, drop=("/contract",))
    with pytest.raises(BagError, match="holds no contract"):
        list(read_episodes(theirs))
    assert len(list(read_episodes(theirs, contract=tiny_contract()))) == 1


def test_another_contract_than_the_callers_is_refused_with_both_named(tmp_path):
    path = write(tmp_path / "bag", make_episode())
    other = dataclasses.replace(tiny_contract(), name="other", control_rate_hz=50.0)
    with pytest.raises(ContractMismatchError, match=r"(?s)other .*agilex_piper_bimanual_tiny.*control_rate_hz"):
        list(read_episodes(path, contract=other))


def test_a_later_label_counts_and_a_discarded_episode_is_gone(tmp_path):
    episodes = [make_episode("keep"), make_episode("gone", 10.0)]
    with BagWriter(tmp_path / "bag", tiny_contract()) as bag:
        for episode in episodes:
            write_episode(bag, episode)
        late = 30 * 10**9
        label = dataclasses.replace(episodes[0], kind="rollout")
        bag.write(schema.EPISODE_STATUS, late, episode_status(late, label, "ended", "failure", 1.0))
        bag.write(schema.EPISODE_STATUS, late, episode_status(late, episodes[1], "discarded", "unknown", 0.0))
    (episode,) = read_episodes(tmp_path / "bag")
    assert (episode.episode_id, episode.kind, episode.outcome, episode.score) == ("keep", "rollout", "failure", 1.0)
    assert episode.end_ns == episodes[0].end_ns


def test_a_start_that_is_heard_once_more_is_the_same_one(tmp_path):
    """Marks are latched: a recorder that pauses within an episode is told again that it runs."""
    episode = make_episode()
    with BagWriter(tmp_path / "bag", tiny_contract()) as bag:
        write_episode(bag, episode)
        again = episode_status(episode.start_ns, episode, "started", "unknown", 0.0)
        bag.write(schema.EPISODE_STATUS, int(episode.joint_stamps[9]), again)
    assert [each.episode_id for each in read_episodes(tmp_path / "bag")] == [episode.episode_id]
    with BagWriter(tmp_path / "twice", tiny_contract()) as bag:
        write_episode(bag, episode)
        other = episode_status(episode.end_ns + 10**9, episode, "started", "unknown", 0.0)
        bag.write(schema.EPISODE_STATUS, episode.end_ns + 10**9, other)
    with pytest.raises(BagError, match="starts twice"):
        list(read_episodes(tmp_path / "twice"))


def test_the_same_episodes_make_the_same_bytes(tmp_path):
    files = [write(tmp_path / name / "bag", make_episode()) for name in ("one", "two")]
    assert (files[0] / "bag.mcap").read_bytes() == (files[1] / "bag.mcap").read_bytes()


def test_an_existing_bag_is_never_overwritten(tmp_path):
    write(tmp_path / "bag", make_episode())
    with pytest.raises(BagError, match="exists already"):
        BagWriter(tmp_path / "bag", tiny_contract())


def test_joints_in_another_order_with_others_between_are_sorted_by_name(tmp_path):
    episode = make_episode()
    shuffled = dataclasses.replace(
        episode.contract,
        joints=(*reversed(episode.contract.joints), dataclasses.replace(episode.contract.joints[0], name="neck")),
    )
    turned = [np.c_[values[:, ::-1], np.zeros(len(values))] for values in (episode.joint_positions, episode.commands)]
    other = dataclasses.replace(
        episode,
        contract=shuffled,
        joint_positions=turned[0],
        commands=turned[1],
        clean_commands=turned[1],
        joint_velocities=None,
    )
    ours = write(tmp_path / "ours", other)
    theirs = as_foreign(ours, tmp_path / "theirs", StoragePlugin.MCAP, 0, drop=("/contract",))
    (back,) = read_episodes(theirs, contract=episode.contract)
    np.testing.assert_array_equal(back.joint_positions, episode.joint_positions)
    np.testing.assert_array_equal(back.commands, episode.commands)
