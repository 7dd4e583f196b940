"""Exploration in imagination: proposed chunks that come a little earlier or later than the policy would."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

EASE_STEPS = 10
"""Control steps over which a shift builds up, so that a chunk leaves from where the robot is."""


def time_shifted(chunks: Tensor, state: Tensor, shift: Tensor) -> Tensor:
    """Chunks played `shift` control steps ahead (positive) or behind, easing in; the ends are held.

    A policy that imitates is sure of itself where it is wrong: its samples differ from each other by a tenth of what
    they miss a moving brick by (docs/decisions/0002). What they miss is mostly the moment, and a shift in time is a
    motion that the robot can make, whatever the chunk.

    Args:
        chunks: (B, K, A) commands. state: (B, A) joint positions before the first.
        shift: (B,) control steps.
    """
    path = torch.cat([state[:, None], chunks], dim=1)  # (B, K + 1, A), path[k] is where command k - 1 leads
    last = chunks.shape[1]
    steps = torch.arange(1, last + 1, dtype=torch.float32)
    ease = ((steps - 1) / EASE_STEPS).clamp(max=1.0)
    when = (steps + shift[:, None] * ease).clamp(0.0, last)  # (B, K)
    before = when.floor().long()
    part = (when - before)[..., None]
    rows = torch.arange(len(chunks))[:, None]
    return torch.lerp(path[rows, before], path[rows, (before + 1).clamp(max=last)], part)


def randomly_shifted(chunks: Tensor, state: Tensor, most: float, rng: np.random.Generator) -> Tensor:
    """`time_shifted` by up to `most` control steps either way; 0 leaves chunks and `rng` alone.

    Shifts are spread evenly: what succeeds among them then tells the middle of what can succeed, not what was tried
    most often.
    """
    if most <= 0:
        return chunks
    return time_shifted(chunks, state, torch.from_numpy(rng.uniform(-most, most, len(chunks)).astype(np.float32)))
