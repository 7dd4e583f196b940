"""Bags: writing and reading them through this project and through plain rosbags, the same messages either way."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from rise_learning.benchmarks.measure import Measurement, race
from rise_learning.benchmarks.workload import Workload
from rise_robot.bag import schema
from rise_robot.bag.reader import read_episodes
from rise_robot.bag.writer import BagWriter

ROUNDS = 7
RawMessage = tuple[str, int, bytes, str]
"""Topic without the leading slash, time of recording (ns), CDR, type."""


def raw_messages(bag: Path) -> list[RawMessage]:
    """Every message of a bag in the order of recording."""
    with Reader(bag) as reader:
        return [(link.topic.lstrip("/"), stamp, data, link.msgtype) for link, stamp, data in reader.messages()]


def write_ours(path: Path, workload: Workload, messages: list[RawMessage]) -> None:
    """Flushed every half second of recorded time: a killed recorder loses no more."""
    with BagWriter(path, workload.contract) as bag:
        for topic, stamp, data, _ in messages:
            bag.write(topic, stamp, data)


def write_plainly(path: Path, messages: list[RawMessage]) -> None:
    """As the manual of rosbags shows."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        links = {
            topic: writer.add_connection("/" + topic, msgtype, typestore=schema.typestore())
            for topic, msgtype in {message[0]: message[3] for message in messages}.items()
        }
        for topic, stamp, data, _ in messages:
            writer.write(links[topic], stamp, data)


def read_plainly(path: Path) -> None:
    """Every message decoded; nothing checked, nothing assembled."""
    store = schema.typestore()
    with Reader(path) as reader:
        for link, _, data in reader.messages():
            store.deserialize_cdr(data, link.msgtype)


def writing(workload: Workload) -> list[Measurement]:
    messages = raw_messages(workload.bag)
    numbers = count()

    def fresh() -> Path:
        return workload.directory / f"written_{next(numbers)}"

    times = race(
        lambda: write_ours(fresh(), workload, messages), lambda: write_plainly(fresh(), messages), rounds=ROUNDS
    )
    return _rates("written", messages, times, "rosbags.Writer, flushed at 1 MiB")


def reading(workload: Workload) -> list[Measurement]:
    messages = raw_messages(workload.bag)
    times = race(lambda: list(read_episodes(workload.bag)), lambda: read_plainly(workload.bag), rounds=ROUNDS)
    return _rates("read", messages, times, "rosbags.Reader, every message decoded, not checked or assembled")


def _rates(verb: str, messages: list[RawMessage], times: list[np.ndarray], alternative: str) -> list[Measurement]:
    megabytes = sum(len(data) for _, _, data, _ in messages) / 1e6
    ours, theirs = (float(np.median(each)) for each in times)
    return [
        Measurement(f"{what} {verb}", unit, amount / ours, alternative, amount / theirs, "higher", len(times[0]))
        for what, unit, amount in (("messages", "1/CPU s", len(messages)), ("data", "MB/CPU s", megabytes))
    ]
