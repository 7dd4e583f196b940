"""What a policy may look at: stamped joints and frames, given out by the rule that bags are resampled with.

Streams arrive one message at a time; `observation(t)` answers with what was known at t: the latest joints at or before
t and, for each camera, the latest frames at or before t, t - 1/15 s, ... It fails closed: a missing or stale stream is
an ObservationError, never a zero or an old picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError, ObservationError
from rise_robot.core.images import decode_jpeg
from rise_robot.core.resampling import history_times, latest_at_or_before

T = TypeVar("T")


@dataclass(frozen=True)
class Observation:
    """What was known at `stamp_ns`.

    Attributes:
        stamp_ns: the time that a chunk answering this observation carries.
        state: (A,) float32 joint positions, rad; gripper in m.
        frames: per camera (len(history), H, W, 3) uint8 RGB.
    """

    stamp_ns: int
    state: np.ndarray
    frames: dict[str, np.ndarray]


class _Stream(Generic[T]):
    """The last messages of one topic, by rising stamp."""

    def __init__(self, name: str, max_age_s: float, keep: int) -> None:
        self.name, self.max_age_s = name, max_age_s
        self._items: deque[tuple[int, T]] = deque(maxlen=keep)

    def add(self, stamp_ns: int, item: T) -> None:
        if self._items and stamp_ns <= self._items[-1][0]:
            raise ObservationError(f"{self.name}: stamp {stamp_ns} ns does not follow {self._items[-1][0]} ns")
        self._items.append((stamp_ns, item))

    def newest_ns(self) -> int | None:
        return self._items[-1][0] if self._items else None

    def at(self, times: np.ndarray) -> list[T]:
        """The latest item at or before each time. Raises ObservationError when there is none or it is too old."""
        stamps = np.array([stamp for stamp, _ in self._items], dtype=np.int64)
        index = latest_at_or_before(stamps, times)
        if (index < 0).any():
            what = "no message yet" if not len(stamps) else f"nothing before {stamps[0]} ns"
            raise ObservationError(f"{self.name}: {what}, needed at {int(times[index < 0][0])} ns")
        ages = (times - stamps[index]) * 1e-9
        if ages.max() > self.max_age_s:
            raise ObservationError(f"{self.name}: {ages.max():.3f} s old, at most {self.max_age_s:g} s")
        return [self._items[i][1] for i in index]

    def forget_before(self, stamp_ns: int) -> None:
        while self._items and self._items[0][0] < stamp_ns:
            self._items.popleft()


class ObservationBuffer:
    """Collects joints and JPEG frames of one contract; decodes only what is asked for.

    Args:
        contract: cameras, sizes, staleness bounds, context_frames.
        history_s: how far back `observation` may be asked for, beyond the context frames.
    """

    def __init__(self, contract: Contract, history_s: float = 1.0) -> None:
        self._contract = contract
        span = history_s + contract.context_frames * contract.actions_per_frame * contract.control_period_s
        self._begin_ns = 0
        self._joints = _Stream[np.ndarray]("joint_states", contract.joint_state_max_age_s, 64 + round(span * 500))
        self._frames = {
            camera.name: _Stream[bytes](camera.compressed_topic, camera.max_age_s, 8 + round(2 * span * camera.rate_hz))
            for camera in contract.cameras
        }

    def add_joints(self, stamp_ns: int, positions: np.ndarray) -> None:
        """Take joint positions (A,) in contract order. Raises ObservationError when malformed or out of order."""
        positions = np.asarray(positions, dtype=np.float32)
        if positions.shape != (self._contract.action_dim,) or not np.isfinite(positions).all():
            raise ObservationError(f"joint_states: {positions} is not {self._contract.action_dim} finite numbers")
        self._joints.add(stamp_ns, positions)

    def add_frame(self, camera: str, stamp_ns: int, jpeg: bytes) -> None:
        """Take one JPEG file of a camera. Raises ObservationError when it is out of order."""
        self._frames[camera].add(stamp_ns, jpeg)

    def begin(self, stamp_ns: int) -> None:
        """An episode begins: nothing from before may reach the policy; its first frame stands for earlier ones."""
        self._begin_ns = stamp_ns
        self._joints.forget_before(stamp_ns)
        for stream in self._frames.values():
            stream.forget_before(stamp_ns)

    def latest_ns(self) -> int | None:
        """The newest time for which every stream has a message at or after it; None while one has none."""
        newest = [self._joints.newest_ns(), *(stream.newest_ns() for stream in self._frames.values())]
        known = [stamp for stamp in newest if stamp is not None]
        return min(known) if len(known) == len(newest) else None

    def silent(self, now_ns: int) -> list[str]:
        """Names of the streams whose newest message, or else the episode's begin, is older at `now_ns` than allowed."""
        streams: list[_Stream] = [self._joints, *self._frames.values()]
        newest = [(stream, stream.newest_ns() or self._begin_ns) for stream in streams]
        return [stream.name for stream, stamp in newest if (now_ns - stamp) * 1e-9 > stream.max_age_s]

    def observation(self, now_ns: int, history: Sequence[int] | None = None) -> Observation:
        """What was known at `now_ns`.

        Args:
            history: which frames, relative to now, at frame rate, e.g. (-3, 0); None for all context frames.

        Raises:
            ObservationError: a stream is missing or stale at `now_ns` or at a frame of the history.
        """
        offsets = range(1 - self._contract.context_frames, 1) if history is None else history
        grid = history_times(now_ns, 1 - min(offsets), self._contract)
        times = np.maximum(grid[[offset - 1 for offset in offsets]], self._begin_ns)
        state = self._joints.at(np.array([now_ns], dtype=np.int64))[0]
        views = {}
        for camera in self._contract.cameras:
            files = self._frames[camera.name].at(times)
            try:
                decoded = {id(file): decode_jpeg(file, (camera.height, camera.width)) for file in files}
            except BagError as error:
                raise ObservationError(f"{camera.name}: {error}") from error
            views[camera.name] = np.stack([decoded[id(file)] for file in files])
        return Observation(int(now_ns), state, views)
