"""Repair a bag whose recorder was killed: every complete chunk, with an index and metadata again.

    python -m rise_robot.bag.recover BAG [--json]

The bag is rewritten beside itself and then swapped in; the damaged one is kept as BAG.damaged.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeAlias, cast

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Message, Schema
from mcap.stream_reader import breakup_chunk
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.rosbag2.errors import ReaderError
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from rise_robot.bag import messages, schema
from rise_robot.bag.writer import CUSTOM_DATA_KEY
from rise_robot.core.errors import BagError

MAGIC = b"\x89MCAP0\r\n"
DAMAGE = (McapError, EOFError, struct.error, zstandard.ZstdError, RuntimeError, ValueError, OverflowError, MemoryError)
Record: TypeAlias = Schema | Channel | Message


@dataclass
class Recovery:
    """What was saved.

    Attributes:
        messages: messages in the repaired bag.
        seconds: span of their times of recording.
        lost_bytes: bytes at the end that were no complete chunk.
        bad_chunks: complete chunks that could not be read.
        orphans: messages that were readable, but whose topic was described in a chunk that was not.
        damaged: where the damaged bag is kept; "" when nothing was wrong.
    """

    bag: str
    messages: int = 0
    seconds: float = 0.0
    lost_bytes: int = 0
    bad_chunks: int = 0
    orphans: int = 0
    damaged: str = ""


def recover(path: str | Path) -> Recovery:
    """Repair a bag directory in place.

    Raises:
        BagError: no MCAP or sqlite3 file in it, or nothing in it can be saved.
    """
    path = Path(path)
    path = path.parent if path.is_file() else path
    if _is_sound(path):
        return Recovery(str(path))
    files = sorted(file for suffix in ("*.mcap", "*.db3") for file in path.glob(suffix))
    if not files:
        raise BagError(f"{path} holds no .mcap or .db3 file; nothing to recover")
    staging, damaged = path.with_name(path.name + ".recovering"), _free_name(path)
    shutil.rmtree(staging, ignore_errors=True)
    result = Recovery(str(path), damaged=str(damaged))
    _rewrite(files, staging / path.name, result)
    if not result.messages:
        shutil.rmtree(staging)
        raise BagError(f"{path}: not one complete chunk was left ({result.lost_bytes} bytes cannot be read)")
    path.rename(damaged)
    (staging / path.name).rename(path)
    staging.rmdir()
    return result


def read_records(path: Path, result: Recovery) -> Iterator[Record]:
    """Schemas, channels and messages of an MCAP file up to where it breaks off, those of its index included; chunks
    that cannot be read are skipped and counted in `result`."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BagError(f"{path} is not an MCAP file: it does not begin with the MCAP magic")
        while (start := file.tell()) < size:
            head = file.read(9)
            opcode, length = (head[0], struct.unpack("<Q", head[1:])[0]) if len(head) == 9 else (0, size)
            if opcode == Opcode.FOOTER:
                return
            if not 0 < opcode < 0x80 or start + 9 + length > size:
                result.lost_bytes += size - start
                return
            body = file.read(length)
            try:
                yield from _decode(opcode, body)
            except DAMAGE:
                result.bad_chunks += 1


def _decode(opcode: int, body: bytes) -> list[Record]:
    stream = ReadDataStream(BytesIO(body))
    if opcode == Opcode.CHUNK:
        return [r for r in breakup_chunk(Chunk.read(stream), validate_crc=True) if isinstance(r, Record)]
    if opcode == Opcode.SCHEMA:
        return [Schema.read(stream)]
    if opcode == Opcode.CHANNEL:
        return [Channel.read(stream)]
    if opcode == Opcode.MESSAGE:
        return [Message.read(stream, len(body))]
    return []


def _rewrite(files: list[Path], fresh: Path, result: Recovery) -> None:
    """All files of a damaged bag into one new bag."""
    first, last = 2**63, 0
    with Writer(fresh, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        ours: dict[tuple[Path, int], Connection] = {}
        for file in files:
            for connection, stamp, data in _mcap(file, result) if file.suffix == ".mcap" else _sqlite(file):
                key = (file, connection.id)
                if key not in ours:
                    ours[key] = _add(writer, connection)
                if connection.topic.endswith(f"/{schema.CONTRACT}") and connection.msgtype == schema.STRING_TYPE:
                    writer.set_custom_data(CUSTOM_DATA_KEY, messages.deserialize(data, connection.msgtype).data)
                writer.write(ours[key], stamp, data)
                result.messages += 1
                first, last = min(first, stamp), max(last, stamp)
    result.seconds = max(0, last - first) * 1e-9


def _mcap(path: Path, result: Recovery) -> Iterator[tuple[Connection, int, bytes]]:
    connections = _channels(path)
    for record in read_records(path, result):
        if isinstance(record, Message):
            if record.channel_id in connections:
                yield connections[record.channel_id], record.log_time, record.data
            else:
                result.orphans += 1


def _channels(path: Path) -> dict[int, Connection]:
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    for record in read_records(path, Recovery("")):
        if isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, Channel):
            channels[record.id] = record
    return {
        name: _connection(channel, schemas[channel.schema_id])
        for name, channel in channels.items()
        if channel.schema_id in schemas
    }


def _sqlite(path: Path) -> Iterator[tuple[Connection, int, bytes]]:
    with _rosbags_errors(path), Reader(path) as reader:
        yield from reader.messages()


def _connection(channel: Channel, kind: Schema) -> Connection:
    is_msg = kind.encoding == "ros2msg"
    return Connection(
        id=channel.id,
        topic=channel.topic,
        msgtype=kind.name,
        msgdef=MessageDefinition(
            MessageDefinitionFormat.MSG if is_msg else MessageDefinitionFormat.IDL, kind.data.decode()
        ),
        digest=channel.metadata.get("topic_type_hash", ""),
        msgcount=0,
        ext=ConnectionExtRosbag2(channel.message_encoding, parse_qos(channel.metadata.get("offered_qos_profiles", ""))),
        owner=None,
    )


def _add(writer: Writer, connection: Connection) -> Connection:
    """The same topic in the new bag; adopts the one that is there when several files hold it."""
    ext = cast(ConnectionExtRosbag2, connection.ext)
    for there in writer.connections:
        if (there.topic, there.msgtype, there.ext) == (connection.topic, connection.msgtype, ext):
            return there
    return writer.add_connection(
        connection.topic,
        connection.msgtype,
        msgdef=connection.msgdef.data,
        rihs01=connection.digest or _type_hash(connection),
        serialization_format=ext.serialization_format,
        offered_qos_profiles=ext.offered_qos_profiles,
    )


def _type_hash(connection: Connection) -> str:
    if connection.msgtype in schema.typestore().types:
        return schema.typestore().hash_rihs01(connection.msgtype)
    parse = get_types_from_idl if connection.msgdef.format == MessageDefinitionFormat.IDL else get_types_from_msg
    store = get_typestore(Stores.ROS2_JAZZY)
    types = parse(connection.msgdef.data, connection.msgtype)
    store.register({name: fields for name, fields in types.items() if name not in store.types})
    return store.hash_rihs01(connection.msgtype)


def _is_sound(path: Path) -> bool:
    """The bag opens: metadata, footer and index are there."""
    if not (path / "metadata.yaml").is_file():
        return False
    try:
        with Reader(path):
            return True
    except (ReaderError, OSError, EOFError, ValueError, IndexError):
        return False


@contextmanager
def _rosbags_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (ReaderError, OSError) as error:
        raise BagError(f"{path} cannot be read: {error}") from error


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.damaged{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rise_robot.bag.recover", description="Repair a bag whose recorder was killed."
    )
    parser.add_argument("bag", type=Path, help="bag directory; the damaged one is kept as BAG.damaged")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    try:
        result = recover(options.bag)
    except BagError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(asdict(result)))
    elif not result.damaged:
        print(f"{result.bag} is sound; nothing to do")
    else:
        print(
            f"{result.bag}: {result.messages} messages over {result.seconds:.2f} s saved; lost: {result.lost_bytes} "
            f"bytes at the end, {result.bad_chunks} chunks, {result.orphans} messages of unknown topics; the damaged "
            f"bag is {result.damaged}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
