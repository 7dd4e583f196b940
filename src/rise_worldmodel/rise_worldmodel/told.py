"""What the dynamics are told of chunks."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Told(NamedTuple):
    """Of B imaginations: normalised `actions` (B, K, A) and `state` (B, A), uint8 `maps` (B, M + 1, V, h, w, 3).

    Dynamics that read the instruction are given its numbers (B, L) as `actions`; those that go without the joint state
    are given none.
    """

    actions: Tensor
    state: Tensor | None
    maps: Tensor | None
