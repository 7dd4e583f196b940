"""What was recorded last, and the way since then, of states of different ages side by side."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.last_recorded import LastRecorded

STEPS, FRAMES = 10, 5


def way(first: float) -> Tensor:
    """(1, 5, 1) joint positions at the frames of one link."""
    return first + torch.arange(FRAMES, dtype=torch.float32)[None, :, None]


def recorded(position: float) -> LastRecorded:
    return LastRecorded.now(torch.zeros(1, 3, 2, 2, 3, dtype=torch.uint8), torch.full((1, 1), position))


def test_the_way_since_then_is_kept_link_by_link() -> None:
    seen = recorded(0.0)
    assert seen.path.shape == (1, 0, 1)
    later = seen.later(STEPS, way(1)).later(STEPS, way(6))
    assert later.steps_ago.tolist() == [20] and later.path[0, :, 0].tolist() == list(range(1, 11))
    assert seen.steps_ago.tolist() == [0], "states are not changed in place"


def test_states_of_different_ages_keep_their_own_ways_and_go_on_from_there() -> None:
    old, new = recorded(0.0).later(STEPS, way(1)), recorded(50.0)
    for pair in (old.beside(new), new.beside(old).select(np.array([1, 0]))):
        assert pair.steps_ago.tolist() == [10, 0]
        on = pair.later(STEPS, torch.cat([way(6), way(51)]))
        assert on.path[0, :10, 0].tolist() == list(range(1, 11))
        assert on.path[1, :5, 0].tolist() == list(range(51, 56)), "it has no way before that"
        assert on.steps_ago.tolist() == [20, 10]
    twice = old.repeat(2)
    assert twice.path.shape == (2, FRAMES, 1) and twice.path[1].equal(old.path[0])
