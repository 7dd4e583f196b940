"""The live observation: latest at or before, history at frame rate, and a refusal where a stream fails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ObservationError
from rise_robot.core.images import decode_jpeg, encode_jpeg
from rise_robot.core.observation_buffer import ObservationBuffer

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
MS = 1_000_000
FILES = [encode_jpeg(np.full((96, 128, 3), 9 * n, np.uint8), 95) for n in range(26)]


def filled(joint_ms: list[int], frame_ms: list[int]) -> ObservationBuffer:
    """A buffer whose joints carry their index, and whose frames are FILES[index]."""
    buffer = ObservationBuffer(CONTRACT)
    for index, stamp in enumerate(joint_ms):
        buffer.add_joints(stamp * MS, np.full(CONTRACT.action_dim, index))
    for camera in CONTRACT.camera_names:
        for index, stamp in enumerate(frame_ms):
            buffer.add_frame(camera, stamp * MS, FILES[index])
    return buffer


@given(
    st.lists(st.integers(10, 90), min_size=6, max_size=24).map(lambda gaps: np.cumsum(gaps).tolist()),
    st.integers(280, 900),
)
def test_is_the_latest_at_or_before(stamps: list[int], now: int) -> None:
    buffer = filled(list(range(0, 1000, 10)), stamps)
    wanted = [now - 200, now - 133, now - 67, now]
    expected = [max((i for i, s in enumerate(stamps) if s <= t), default=-1) for t in wanted]
    times_known = [t for t in wanted if stamps[0] <= t]
    fresh = len(times_known) == 4 and all(t - stamps[i] <= 199 for t, i in zip(wanted, expected, strict=True))
    edge = any(abs(t - s) <= 1 or abs(t - s - 200) <= 1 for t in wanted for s in stamps)
    if edge:
        return  # thirds of a millisecond decide; the rule itself is tested with the bags
    if not fresh:
        with pytest.raises(ObservationError, match="compressed"):
            buffer.observation(now * MS)
        return
    seen = buffer.observation(now * MS)
    assert seen.stamp_ns == now * MS and seen.state[0] == now // 10
    for camera in CONTRACT.camera_names:
        np.testing.assert_array_equal(seen.frames[camera], [decode_jpeg(FILES[i]) for i in expected])


def test_a_picture_that_cannot_be_decoded_is_refused_by_camera() -> None:
    """As any other fault of a stream: who asks waits for the next one."""
    buffer = filled(list(range(0, 300, 10)), [0, 66, 132])
    buffer.add_frame(CONTRACT.camera_names[1], 198 * MS, FILES[0][:60])
    with pytest.raises(ObservationError, match=CONTRACT.camera_names[1]):
        buffer.observation(200 * MS)


def test_a_missing_or_stale_stream_is_refused_by_name() -> None:
    frames = list(range(0, 1000, 66))
    buffer = ObservationBuffer(CONTRACT)
    with pytest.raises(ObservationError, match="joint_states: no message yet"):
        buffer.observation(0)
    assert buffer.latest_ns() is None
    with pytest.raises(ObservationError, match="joint_states: 0.110 s old, at most 0.1 s"):
        filled([0, 890], frames).observation(1000 * MS)
    with pytest.raises(ObservationError, match="camera/top/image_raw/compressed"):
        filled([0, 1200], frames).observation(1200 * MS)
    with pytest.raises(ObservationError, match="nothing before"):
        filled([0, 1000], [900, 966]).observation(1000 * MS)


def test_silent_streams_are_named() -> None:
    buffer = filled([0, 900], [0, 780])
    assert buffer.silent(950 * MS) == []
    assert buffer.silent(990 * MS) == [camera.compressed_topic for camera in CONTRACT.cameras]
    assert "joint_states" in buffer.silent(1010 * MS)
    buffer.begin(2000 * MS)
    assert buffer.silent(2050 * MS) == [], "an episode's first messages are on their way"
    assert len(buffer.silent(2250 * MS)) == 1 + len(CONTRACT.cameras)


def test_malformed_and_out_of_order_messages_are_refused() -> None:
    buffer = filled([0], [0])
    with pytest.raises(ObservationError, match="finite"):
        buffer.add_joints(1, np.full(CONTRACT.action_dim, np.nan))
    with pytest.raises(ObservationError, match="does not follow"):
        buffer.add_frame("top", 0, FILES[0])


def test_nothing_from_before_an_episode_is_seen_in_it() -> None:
    buffer = filled([300, 400, 500], [200, 267, 333, 400, 467])
    buffer.begin(400 * MS)
    seen = buffer.observation(467 * MS).frames["top"]
    np.testing.assert_array_equal(seen, [decode_jpeg(FILES[i]) for i in (3, 3, 3, 4)])
    buffer.begin(600 * MS)
    with pytest.raises(ObservationError, match="no message yet"):
        buffer.observation(600 * MS)
    assert buffer.latest_ns() is None


def test_history_may_be_chosen() -> None:
    buffer = filled([0, 490], [200, 267, 333, 400, 467])
    seen = buffer.observation(490 * MS, history=(-3, 0)).frames["top"]
    np.testing.assert_array_equal(seen, [decode_jpeg(FILES[i]) for i in (1, 4)])
