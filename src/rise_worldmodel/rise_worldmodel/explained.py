"""Which pixels of the future the present frame and the control maps do not already show: the objects, mostly."""

from __future__ import annotations

import torch
from torch import Tensor

EXPLAINED = 25
"""Difference of intensity (of 255) up to which a pixel counts as shown."""


def unexplained(context: Tensor, future: Tensor, maps: Tensor | None = None) -> Tensor:
    """Pixels of the future that differ from the last frame and from the maps before and after them.

    What a robot with a known cell does is drawn by its control maps; a brick on the belt is not, and it is what a chunk
    is judged by. Without maps, all that moves is unexplained.

    Args:
        context: (B, C, V, H, W, 3) uint8. future: (B, F, V, H, W, 3) uint8.
        maps: (B, M + 1, V, H, W, 3) uint8, one at the present and M more, each F / M frames later.

    Returns:
        (B, F, V, H, W) bool.
    """
    differs = _differs(future, context[:, -1:])
    if maps is not None:
        apart = future.shape[1] // (maps.shape[1] - 1)
        for ends in (maps[:, :-1], maps[:, 1:]):
            differs &= _differs(future, ends.repeat_interleave(apart, dim=1))
    return differs


def _differs(frames: Tensor, shown: Tensor) -> Tensor:
    apart = torch.maximum(frames, shown) - torch.minimum(frames, shown)
    return (apart > EXPLAINED).any(-1)
