"""One recording session of a live recorder: messages come from any thread, one thread writes them. No ROS."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from rise_robot.bag.writer import BagWriter
from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError

FLUSH_S = 0.25
"""Wall time between two flushes: a killed recorder loses no more than this and what is still queued."""


@dataclass(frozen=True)
class SessionConfig:
    """Where and how a session is recorded.

    Attributes:
        out: directory of sessions.
        name: of this session's bag in `out`; "" is the UTC time.
        namespace: of the recorder; topics in the bag carry it.
        compress: zstd chunks.
        sync: fsync at every flush: a power cut then loses no more than a kill.
        min_free_mb: with less free space the recording is ended in good order.
    """

    out: Path
    name: str = ""
    namespace: str = "/"
    compress: bool = False
    sync: bool = True
    min_free_mb: int = 200


class RecordingSession:
    """Messages on their way into one bag.

    Attributes:
        path: the bag directory.
        counts: messages written, by relative topic.
    """

    def __init__(self, config: SessionConfig, contract: Contract) -> None:
        """Raises BagError: the directory exists, cannot be created, or the disk is nearly full."""
        self.config = config
        self.path = config.out / (config.name or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
        self.counts: Counter[str] = Counter()
        self._require_space(config.out)
        self._bag = BagWriter(
            self.path, contract, namespace=config.namespace, compress=config.compress, sync=config.sync
        )
        self._queue: SimpleQueue[tuple[str, int, bytes]] = SimpleQueue()
        self._flushed = time.monotonic()

    @property
    def queued(self) -> int:
        """Messages not yet written."""
        return self._queue.qsize()

    def put(self, topic: str, stamp: int, data: bytes) -> None:
        """Hand over one serialized message of a relative topic; stamp: time of recording, ns, 0 when no clock runs yet
        (it is then the next message's that has one)."""
        self._queue.put((topic, stamp, data))

    def pump(self, now_ns: int) -> None:
        """Write what was handed over, and flush when it is time.

        Args:
            now_ns: the recorder's clock, for messages that came before it ran; 0 keeps them waiting.

        Raises:
            BagError: the disk is full or nearly so; what was written is safe.
        """
        while now_ns:
            try:
                topic, stamp, data = self._queue.get_nowait()
            except Empty:
                break
            self._bag.write(topic, stamp or now_ns, data)
            self.counts[topic] += 1
        if time.monotonic() - self._flushed >= FLUSH_S:
            self._bag.flush()
            self._flushed = time.monotonic()
            self._require_space(self.path)

    def close(self) -> None:
        """Finish the bag. May be called again."""
        self._bag.close()

    def _require_space(self, path: Path) -> None:
        try:
            while not path.exists():
                path = path.parent
            free = shutil.disk_usage(path).free / 1e6
        except OSError as error:
            raise BagError(f"cannot record to {path}: {error.strerror}") from error
        if free < self.config.min_free_mb:
            raise BagError(
                f"only {free:.0f} MB are free at {path}, recording needs {self.config.min_free_mb} MB (min_free_mb); "
                "free some or record elsewhere (parameter out)"
            )
