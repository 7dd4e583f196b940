"""Messages of one episode into the arrays of an `Episode`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rise_robot.bag import schema
from rise_robot.bag.episode import CameraStream, Episode
from rise_robot.bag.marks import Mark
from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError
from rise_robot.core.resampling import STAMP_TOLERANCE_NS, latest_at_or_before
from rise_robot.core.rubric import RubricEventRecord


@dataclass
class Stream:
    """Messages of one topic in the order of recording, with their header stamps (ns)."""

    stamps: list[int] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)

    def append(self, stamp: int, message: Any) -> None:
        self.stamps.append(stamp)
        self.items.append(message)

    def sort(self) -> None:
        """By stamp, keeping the order of equals: two cameras' messages may be recorded out of order."""
        if any(later < earlier for earlier, later in zip(self.stamps, self.stamps[1:], strict=False)):
            order = sorted(range(len(self.stamps)), key=self.stamps.__getitem__)
            self.stamps = [self.stamps[index] for index in order]
            self.items = [self.items[index] for index in order]

    @property
    def stamp_array(self) -> np.ndarray:
        return np.array(self.stamps, np.int64)


def assemble(mark: Mark, streams: dict[str, Stream], contract: Contract, source: str) -> Episode:
    """The episode of a mark.

    Args:
        streams: per relative topic the messages within the episode; topics that were not recorded are absent.

    Raises:
        BagError: joint names that the contract asks for are missing.
    """
    for stream in streams.values():
        stream.sort()
    empty = Stream()
    joints, commands = streams.get(schema.JOINT_STATES, empty), streams.get(schema.JOINT_COMMAND, empty)
    positions = _vectors(joints, "position", contract, source)
    commanded = _vectors(commands, "position", contract, source)
    return Episode(
        episode_id=mark.episode_id,
        task=mark.task,
        instruction=mark.instruction,
        kind=mark.kind,
        outcome=mark.outcome,
        score=mark.score,
        seed=mark.seed,
        contract=contract,
        joint_stamps=joints.stamp_array,
        joint_positions=positions,
        command_stamps=commands.stamp_array,
        commands=commanded,
        clean_commands=_clean(
            streams.get(schema.CLEAN_COMMAND, empty), commands.stamp_array, commanded, contract, source
        ),
        human=_human(streams.get(schema.CONTROL_STATUS, empty), commands.stamp_array),
        images={camera.name: _images(streams.get(camera.compressed_topic, empty)) for camera in contract.cameras},
        events=_events(streams.get(schema.EPISODE_RUBRIC, empty), mark.episode_id),
        start_ns=mark.start_ns,
        end_ns=mark.end_ns or 0,
        source=source,
        joint_velocities=_optional_vectors(joints, "velocity", contract, source),
        joint_efforts=_optional_vectors(joints, "effort", contract, source),
        intrinsics={
            camera.name: np.array(infos.items[0].k).reshape(3, 3)
            for camera in contract.cameras
            if (infos := streams.get(camera.info_topic, empty)).items
        },
    )


def _vectors(stream: Stream, part: str, contract: Contract, source: str) -> np.ndarray:
    """(N, A) float64 of one part of JointState messages, in the contract's order of joints."""
    rows = np.empty((len(stream.items), contract.action_dim))
    orders: dict[tuple[str, ...], list[int]] = {}
    for row, message in zip(rows, stream.items, strict=True):
        names = tuple(message.name)
        if names not in orders:
            missing = [name for name in contract.joint_names if name not in names]
            if missing:
                raise BagError(f"{source}: joints {missing} of the contract are missing; recorded are {list(names)}")
            orders[names] = [names.index(name) for name in contract.joint_names]
        values = getattr(message, part)
        if len(values) != len(names):
            raise BagError(f"{source}: {len(names)} joint names came with {len(values)} {part} values")
        row[:] = values[orders[names]]
    return rows


def _optional_vectors(stream: Stream, part: str, contract: Contract, source: str) -> np.ndarray | None:
    if not stream.items or any(not len(getattr(message, part)) for message in stream.items):
        return None
    return _vectors(stream, part, contract, source)


def _clean(stream: Stream, stamps: np.ndarray, commands: np.ndarray, contract: Contract, source: str) -> np.ndarray:
    """(M, A): the noiseless command with the same stamp, else the command itself."""
    clean = commands.copy()
    if stream.items:
        values = _vectors(stream, "position", contract, source)
        index = latest_at_or_before(stream.stamp_array, stamps)
        same = (index >= 0) & (np.abs(stream.stamp_array[index] - stamps) <= STAMP_TOLERANCE_NS)
        clean[same] = values[index[same]]
    return clean


def _human(stream: Stream, stamps: np.ndarray) -> np.ndarray:
    """(M,) bool: the control mode in force at each command was "human"."""
    if not stream.items:
        return np.zeros(len(stamps), bool)
    human = np.array([message.mode == "human" for message in stream.items])
    index = latest_at_or_before(stream.stamp_array, stamps)
    return human[index] & (index >= 0)


def _images(stream: Stream) -> CameraStream:
    return stream.stamp_array, [bytes(message.data) for message in stream.items]


def _events(stream: Stream, episode_id: str) -> list[RubricEventRecord]:
    return [
        RubricEventRecord(stamp, message.name, message.subject, float(message.score_delta), float(message.score))
        for stamp, message in zip(stream.stamps, stream.items, strict=True)
        if message.episode_id == episode_id
    ]
