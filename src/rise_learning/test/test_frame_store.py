"""Frames of many episodes read like one array, and are nowhere copied together."""

from __future__ import annotations

import numpy as np
import pytest

from rise_learning.data.frame_store import FrameStore

RNG = np.random.default_rng(0)
PARTS = [RNG.integers(256, size=(count, 2, 3, 4, 3), dtype=np.uint8) for count in (5, 1, 7)]
WHOLE = np.concatenate(PARTS)


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        slice(3, 9),
        slice(None, None, -2),
        np.array([12, 0, 5, 5, 6]),
        np.array([[4, 5], [6, 12]]),
        np.arange(13) % 3 == 0,
        np.array([], int),
    ],
    ids=str,
)
def test_it_reads_like_the_array_of_all(index: object) -> None:
    store = FrameStore(PARTS)
    np.testing.assert_array_equal(store[index], WHOLE[index])  # type: ignore[index]
    assert store.shape == WHOLE.shape and len(store) == 13


def test_a_frame_that_is_not_there_is_an_error() -> None:
    with pytest.raises(IndexError):
        FrameStore(PARTS)[13]


def test_what_was_read_is_nobody_elses() -> None:
    store = FrameStore(PARTS)
    read = store[2:4]
    read[:] = 0
    np.testing.assert_array_equal(store[2:4], WHOLE[2:4])
