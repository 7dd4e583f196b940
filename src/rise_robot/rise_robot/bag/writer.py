"""Writing rosbag2 (MCAP) bags of a contract. A killed process loses less than a second, and recover.py repairs the bag.

`rosbags` writes a chunk to the file when it holds 1 MiB. Here a chunk is also closed, flushed and synced when it spans
half a second. That goes through `Writer.storage`, whose class is private: rosbags is pinned for it, and
test_bag_kill.py fails if it changes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import cast

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.rosbag2.storage_mcap import McapWriter

from rise_robot.bag import messages, schema
from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError

FLUSH_NS = 500_000_000
"""Longest span of recorded time that is only in memory."""
CUSTOM_DATA_KEY = "rise_contract"


class BagWriter:
    """Serialized messages of a contract's topics to one bag directory.

    Channels are created at the first message of a topic, so that a bag lists what it holds. The contract is written
    first, as a message and in the bag's custom data. Use as a context manager: leaving it on an error closes the bag
    as well, because what was recorded until then is worth keeping.
    """

    def __init__(
        self, path: str | Path, contract: Contract, *, namespace: str = "/", compress: bool = False, sync: bool = False
    ) -> None:
        """Create the bag.

        Args:
            path: directory that does not exist yet.
            namespace: put before every topic name.
            compress: zstd chunks; JPEG does not shrink, so this saves little and costs time.
            sync: fsync at every flush, so that a power cut loses no more than a kill does.

        Raises:
            BagError: the directory exists or cannot be created.
        """
        self.path = Path(path)
        self.contract = contract
        self._prefix = f"/{namespace.strip('/')}/" if namespace.strip("/") else "/"
        self._specs = {spec.name: spec for spec in schema.topics(contract)}
        self._connections: dict[str, Connection] = {}
        self._sync = sync
        self._chunk_start: int | None = None
        self.messages = 0
        if self.path.exists():
            raise BagError(f"{self.path} exists already; choose another directory, bags are never overwritten")
        self._writer = Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP)
        if compress:
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.set_custom_data(CUSTOM_DATA_KEY, contract.to_yaml())
        try:
            self._writer.open()
        except OSError as error:
            raise BagError(f"cannot create {self.path}: {error.strerror}") from error

    def write(self, topic: str, stamp: int, data: bytes | memoryview) -> None:
        """Append one serialized message.

        Args:
            topic: relative name, one of `schema.topics(contract)`.
            stamp: time of recording, ns. Not falling by more than the chunk: readers sort within it.

        Raises:
            BagError: unknown topic, or the disk is full.
        """
        if self._writer.storage is None:
            raise BagError(f"{self.path} is closed; nothing can be written to it")
        connection = self._connections.get(topic) or self._connect(topic, stamp)
        if self._chunk_start is not None and stamp - self._chunk_start >= FLUSH_NS:
            self.flush()
        if self._chunk_start is None:
            self._chunk_start = stamp
        try:
            self._writer.write(connection, stamp, data)
        except OSError as error:
            raise self._disk_error(error) from error
        self.messages += 1

    def flush(self) -> None:
        """Bring everything written so far to the file; a live recorder calls it twice a second."""
        if self._writer.storage is None:
            return
        storage = cast(McapWriter, self._writer.storage)
        self._chunk_start = None
        try:
            if storage.chunk.msgs:
                storage.close_chunk()
            storage.bio.flush()
            if self._sync:
                os.fsync(storage.bio.fileno())
        except OSError as error:
            raise self._disk_error(error) from error

    def close(self) -> None:
        """Finish the bag: index, footer, metadata.yaml. May be called again."""
        if self._writer.storage is None:
            return
        try:
            if not self.messages:
                self._write_contract(0)
            self._writer.close()
        except OSError as error:
            raise self._disk_error(error) from error

    def _connect(self, topic: str, stamp: int) -> Connection:
        spec = self._specs.get(topic)
        if spec is None:
            raise BagError(f"topic {topic!r} is not recorded; the contract's are {', '.join(self._specs)}")
        if not self._connections and topic != schema.CONTRACT:
            self._write_contract(stamp)
        self._connections[topic] = self._writer.add_connection(
            self._prefix + topic,
            spec.msgtype,
            typestore=schema.typestore(),
            offered_qos_profiles=[schema.rosbag_qos(spec.service)],
        )
        return self._connections[topic]

    def _write_contract(self, stamp: int) -> None:
        self.write(schema.CONTRACT, stamp, messages.string(self.contract.to_yaml()))

    def _disk_error(self, error: OSError) -> BagError:
        """Nothing is written after a failed write: it would follow half a record, and hide what comes before it."""
        with suppress(OSError):
            self._writer.abort()
        return BagError(
            f"cannot write {self.path}: {error.strerror}; the recording up to half a second ago is kept, "
            f"repair it with: python -m rise_robot.bag.recover {self.path}"
        )

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
