"""Moving squares and a model of matching size: seconds to train, for tests and for trying an idea."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rise_worldmodel.config import CodecConfig, DynamicsConfig


def small_dynamics(**changes: Any) -> DynamicsConfig:
    """One view of 16x32 pixels, one action number per step, 10 frames in 2 groups."""
    codec = CodecConfig(frames_per_group=5, patch=8, channels=48, content_channels=48)
    fields: dict[str, Any] = {
        "views": 1,
        "height": 16,
        "width": 32,
        "action_dim": 1,
        "chunk_size": 10,
        "future_frames": 10,
        "heads": 2,
        "head_dim": 24,
        "layers": 2,
        "context_noise": 0.0,
        "codec": codec,
    }
    return DynamicsConfig(**{**fields, **changes})


def moving_squares(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A square that moves by its action, -1 or +1 pixel per frame: context, future, actions, state."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(12, 17, (count,), generator=generator)
    speed = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    videos = torch.full((count, 14, 1, 16, 32, 3), 40, dtype=torch.uint8)
    for clip in range(count):
        for frame in range(14):
            left = int(start[clip] + speed[clip] * max(0, frame - 3))
            videos[clip, frame, 0, 6:10, left : left + 4, 0] = 220
    actions = speed.float()[:, None, None].expand(-1, 10, 1).clone()
    return videos[:, :4], videos[:, 4:], actions, torch.zeros(count, 1)
