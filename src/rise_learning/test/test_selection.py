"""Which imagined chunks are imitated."""

from __future__ import annotations

import numpy as np

from rise_learning.rl.imagination import Imagined
from rise_learning.rl.selection import better_half


def test_all_that_succeed_are_kept_and_not_only_the_hastiest() -> None:
    advantage = np.array([[0.30, 0.24, 0.27, -0.02, 0.05], [0.010, 0.012, 0.011, 0.013, 0.010]])
    assert better_half(advantage, 0.5).tolist() == [0, 1, 2], "the second state allows nothing"


def test_states_with_the_widest_ranges_come_first() -> None:
    spread = np.array([0.1, 0.4, 0.2, 0.3])
    advantage = spread[:, None] * np.array([0.0, 1.0, 0.0])
    assert better_half(advantage, 0.5).tolist() == [4, 10]
    assert better_half(advantage, 1.0).tolist() == [1, 4, 7, 10]
    assert better_half(advantage, 0.01).tolist() == [4], "always one state"


def test_the_end_of_a_chunk_can_be_judged_alone() -> None:
    """Early success against late success: the same end, another mean."""
    rise = np.array([[0.2, 0.2, 0.2, 0.2], [0.0, 0.0, 0.2, 0.2]])
    found = Imagined(frames=None, rise=rise)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.advantage, [0.2, 0.1])
    np.testing.assert_allclose(found.judged(1), [0.2, 0.2])
