"""Which imagined chunks are imitated."""

from __future__ import annotations

import numpy as np
import torch

from rise_learning.rl.imagination import Imagined, OnlineSamples
from rise_learning.rl.selection import better_half, middle_of_kept


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


def test_the_middle_of_what_is_kept_is_one_sample_of_its_own_state() -> None:
    """States 0 and 2 of three with four candidates each; observations go with their state."""
    count = 12
    samples = OnlineSamples(
        images=torch.arange(count).view(count, 1),
        state=torch.arange(count).float().view(count, 1),
        instructions=[f"state {row // 4}" for row in range(count)],
        chunks=torch.arange(count).float().view(count, 1, 1).repeat(1, 5, 2),
        advantage=np.arange(count) / 10,
        depth=np.zeros(count),
        group=np.arange(count) // 4,
        trust=np.ones(count),
    )
    found = middle_of_kept(samples, np.array([1, 3, 8, 10, 11]), 4)
    assert found.instructions == ["state 0", "state 2"] and found.state.flatten().tolist() == [0.0, 8.0]
    torch.testing.assert_close(found.chunks[:, 2, 1], torch.tensor([2.0, 29 / 3]))
    np.testing.assert_allclose(found.advantage, [0.2, 2.9 / 3])
