"""Which pixels of the future the present frame and the control maps do not already show: the objects, mostly."""

from __future__ import annotations

import torch
from torch import Tensor

EXPLAINED = 25
"""Difference of intensity (of 255) up to which a pixel counts as shown."""


def unexplained(context: Tensor, future: Tensor, maps: Tensor | None = None) -> Tensor:
    """Pixels of the future that differ from the last frame and from the maps at both ends of their group.

    What a robot with a known cell does is drawn by its control maps; a brick on the belt is not, and it is what a chunk
    is judged by. Without maps, all that moves is unexplained.

    Args:
        context: (B, C, V, H, W, 3) uint8. future: (B, F, V, H, W, 3) uint8.
        maps: (B, G + 1, V, H, W, 3) uint8 at the ends of G groups of F / G frames.

    Returns:
        (B, F, V, H, W) bool.
    """
    differs = _differs(future, context[:, -1:])
    if maps is not None:
        frames_per_group = future.shape[1] // (maps.shape[1] - 1)
        for ends in (maps[:, :-1], maps[:, 1:]):
            differs &= _differs(future, ends.repeat_interleave(frames_per_group, dim=1))
    return differs


def _differs(frames: Tensor, shown: Tensor) -> Tensor:
    apart = torch.maximum(frames, shown) - torch.minimum(frames, shown)
    return (apart > EXPLAINED).any(-1)
