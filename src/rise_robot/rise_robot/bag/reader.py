"""Bags into episodes: ours and those of `ros2 bag record --all`, MCAP and sqlite3, one bag or a directory of bags."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.errors import ReaderError

from rise_robot.bag import messages, schema
from rise_robot.bag.assembly import Stream, assemble
from rise_robot.bag.episode import Episode
from rise_robot.bag.marks import Mark, collect_marks
from rise_robot.bag.validation import first_error
from rise_robot.bag.writer import CUSTOM_DATA_KEY
from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError

log = logging.getLogger(__name__)

LOG_SLACK_NS = 2_000_000_000
"""Messages are recorded this much before or after their stamp at most."""


def read_episodes(
    path: str | Path,
    *,
    contract: Contract | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    skipped: Callable[[str], None] = log.warning,
) -> Iterator[Episode]:
    """Episodes in the order of their start, bag after bag.

    Args:
        path: a bag directory, an .mcap or .db3 file, or a directory of bags.
        contract: what the caller expects. None takes the bag's own; a bag without one (`ros2 bag record` with nobody
            publishing `contract`) needs it.
        on_error: what to do with an episode that `check` refuses: raise its error, or leave it out and say so.
        skipped: told about every episode that is left out (unfinished ones always are), and why.

    Raises:
        BagError: not a bag, damaged, no episodes, or an episode is refused (on_error "raise").
        ContractMismatchError: the bag has another contract than the caller.
    """
    for bag in find_bags(path):
        with BagReader(bag, contract) as reader:
            for mark in reader.marks:
                if mark.end_ns is None:
                    skipped(f"episode {mark.episode_id} of {bag} was not finished; left out")
                    continue
                try:
                    episode = reader.episode(mark)
                    problem = first_error(episode)
                    if problem:
                        raise BagError(f"{episode.label}: {problem}")
                except BagError as error:
                    if on_error == "raise":
                        raise
                    skipped(f"left out: {error}")
                    continue
                yield episode


def find_bags(path: str | Path) -> list[Path]:
    """The bags at or below a path, sorted by name.

    Raises:
        BagError: there is none, or one lacks its metadata.yaml.
    """
    path = Path(path)
    if not path.exists():
        raise BagError(f"no bag at {path}: it does not exist")
    if path.is_file() or (path / "metadata.yaml").is_file():
        return [path]
    if any(_storage_files(path)):
        raise BagError(
            f"{path} has no metadata.yaml: its recorder was killed. Repair: python -m rise_robot.bag.recover {path}"
        )
    bags = sorted({file.parent for file in path.rglob("metadata.yaml") if not _set_aside(file)})
    unfinished = sorted({file.parent for file in _storage_files(path, "**/") if not _set_aside(file)} - set(bags))
    if unfinished:
        raise BagError(
            f"{unfinished[0]} has no metadata.yaml: its recorder was killed. Repair: "
            f"python -m rise_robot.bag.recover {unfinished[0]}"
        )
    if not bags:
        raise BagError(f"no bag at or below {path}: expected directories with metadata.yaml, or .mcap or .db3 files")
    return bags


def _set_aside(file: Path) -> bool:
    """Kept by `recover`, or left behind by a `recover` that was itself interrupted."""
    return any(".damaged" in part or part.endswith(".recovering") for part in file.parts)


def _storage_files(path: Path, below: str = "") -> Iterator[Path]:
    for suffix in ("mcap", "db3"):
        yield from path.glob(f"{below}*.{suffix}")


@dataclass(frozen=True)
class TopicUse:
    """One recorded topic that the contract names; several connections when publishers differed."""

    spec: schema.TopicSpec
    connections: tuple[Connection, ...]


class BagReader:
    """One open bag: its contract, its episode marks, and any episode of it."""

    def __init__(self, path: str | Path, contract: Contract | None = None) -> None:
        """Open; arguments and errors as of `read_episodes`."""
        self.path = Path(path)
        with _named_errors(self.path):
            self._reader = Reader(self.path)
            self._reader.open()
        try:
            self._prefix = self._namespace()
            self.contract = self._contract(contract)
            self._uses = self._find_topics()
            self.marks = self._marks()
        except BaseException:
            self.close()
            raise

    def episode(self, mark: Mark) -> Episode:
        """The episode of a mark, not validated.

        Raises:
            BagError: a topic that the contract requires is missing, or its messages do not fit the contract.
        """
        missing = [s.name for s in schema.topics(self.contract) if s.required and s.name not in self._uses]
        if missing:
            raise BagError(
                f"{self.path} lacks {', '.join(missing)}; it has {', '.join(sorted(self.topic_names)) or 'nothing'}"
            )
        if mark.end_ns is None or mark.end_log_ns is None:
            raise BagError(f"episode {mark.episode_id} of {self.path} was not finished")
        streams = {name: Stream() for name in self._uses if name not in (schema.CONTRACT, schema.EPISODE_STATUS)}
        first, last = mark.start_log_ns - LOG_SLACK_NS, mark.end_log_ns + LOG_SLACK_NS
        for name, _, data, msgtype in self._raw(tuple(streams), first, last):
            stamp = messages.stamp_in(data)
            if mark.start_ns <= stamp <= mark.end_ns:
                streams[name].append(stamp, self._decode(data, msgtype))
        return assemble(mark, streams, self.contract, str(self.path))

    @property
    def topic_names(self) -> list[str]:
        """Every topic of the bag, as recorded."""
        return [connection.topic for connection in self._reader.connections]

    def messages(
        self, names: tuple[str, ...], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[str, int, Any]]:
        """(relative topic, time of recording in ns, message) in the order of recording.

        Args:
            names: relative topics; those that were not recorded are left out.
            start, stop: bounds on the time of recording, ns.
        """
        for name, stamp, data, msgtype in self._raw(names, start, stop):
            yield name, stamp, self._decode(data, msgtype)

    def _raw(
        self, names: tuple[str, ...], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[str, int, bytes, str]]:
        """(relative topic, time of recording, CDR, type)."""
        uses = [self._uses[name] for name in names if name in self._uses]
        connections = [connection for use in uses for connection in use.connections]
        name_of = {connection.id: use.spec.name for use in uses for connection in use.connections}
        if not connections:
            return
        with _named_errors(self.path):
            for connection, stamp, data in self._reader.messages(connections, start=start, stop=stop):
                yield name_of[connection.id], stamp, data, connection.msgtype

    def _decode(self, data: bytes, msgtype: str) -> Any:
        with _named_errors(self.path):
            return messages.deserialize(data, msgtype)

    def close(self) -> None:
        if self._reader.is_open:
            self._reader.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _namespace(self) -> str:
        """What comes before the relative names, from the topic that every episode needs."""
        found = [name for name in self.topic_names if name.endswith("/" + schema.EPISODE_STATUS)]
        if len(found) != 1:
            raise BagError(
                f"{self.path} has {len(found)} topics {schema.EPISODE_STATUS} of {', '.join(self.topic_names)}; "
                "exactly one must mark its episodes: record while the simulated robot or the recorder runs"
            )
        return found[0].removesuffix(schema.EPISODE_STATUS)

    def _find_topics(self) -> dict[str, TopicUse]:
        uses = {}
        for spec in schema.topics(self.contract):
            name = self._prefix + spec.name
            connections = tuple(c for c in self._reader.connections if c.topic == name and c.msgcount)
            for connection in connections:
                if connection.msgtype != spec.msgtype:
                    raise BagError(f"{self.path}: {name} is {connection.msgtype}, expected {spec.msgtype}")
                self._refuse_other_definition(connection)
            if connections:
                uses[spec.name] = TopicUse(spec, connections)
        return uses

    def _refuse_other_definition(self, connection: Connection) -> None:
        ours = schema.typestore().hash_rihs01(connection.msgtype)
        if connection.digest and connection.digest != ours:
            raise BagError(
                f"{self.path}: {connection.topic} was recorded with another definition of {connection.msgtype} "
                f"({connection.digest}, here {ours}); convert it with the rise_msgs it was recorded with"
            )

    def _contract(self, expected: Contract | None) -> Contract:
        text = self._embedded_contract()
        if text is None:
            if expected is None:
                raise BagError(
                    f"{self.path} holds no contract (topic {self._prefix}{schema.CONTRACT}); name one: --contract PATH"
                )
            return expected
        own = Contract.from_yaml(text, source=f"the contract of {self.path}")
        if expected is not None:
            expected.require_same(own, ours="the caller", theirs=f"bag {self.path}")
        return own

    def _embedded_contract(self) -> str | None:
        custom = getattr(self._reader.storage.metadata, "custom", None) or {}
        if CUSTOM_DATA_KEY in custom:
            return str(custom[CUSTOM_DATA_KEY])
        name = self._prefix + schema.CONTRACT
        connections = [c for c in self._reader.connections if c.topic == name and c.msgtype == schema.STRING_TYPE]
        if not connections:
            return None
        with _named_errors(self.path):
            for connection, _, data in self._reader.messages(connections):
                return str(messages.deserialize(data, connection.msgtype).data)
        return None

    def _marks(self) -> list[Mark]:
        marks = collect_marks(self.messages((schema.EPISODE_STATUS,)), str(self.path))
        if not marks:
            raise BagError(f"{self.path} marks no episode on {self._prefix}{schema.EPISODE_STATUS}")
        return marks


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Errors of rosbags as BagErrors that say which bag and what to do."""
    try:
        yield
    except (ReaderError, OSError, EOFError, ValueError, IndexError, struct.error) as error:
        raise BagError(
            f"{path} is damaged or not a bag: {error} Repair: python -m rise_robot.bag.recover {path}"
        ) from error
