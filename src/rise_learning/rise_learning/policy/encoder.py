"""Convolutional observation encoder for two CPU cores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rise_learning.policy.config import PolicyConfig


class ViewEncoder(nn.Module):
    """Three strided convolutions and a linear layer over one view with its history stacked as channels."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        first, second, third = config.channels
        height, width = config.image_size
        self.layers = nn.Sequential(
            nn.Conv2d(3 * len(config.history), first, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(second, third, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(third * (height // 8) * (width // 8), config.view_features),
            nn.LayerNorm(config.view_features),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3 * history, h, w) standardised -> (B, view_features)."""
        return self.layers(images)


class ObservationEncoder(nn.Module):
    """All views, each through the encoder of its group, concatenated."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleList(ViewEncoder(config) for _ in range(max(config.view_groups) + 1))

    @property
    def features(self) -> int:
        return self.config.view_features * len(self.config.view_groups)

    def forward(self, images: Tensor, brightness: float = 0.0) -> Tensor:
        """(B, history, V, h, w, 3) uint8 RGB -> (B, features); while training their brightness varies so much."""
        pixels = images.permute(0, 2, 1, 5, 3, 4).flatten(2, 3).float() / 127.5 - 1.0  # (B, V, history * 3, h, w)
        if self.training and brightness > 0:
            gain = 1 + brightness * (2 * torch.rand(len(pixels), 1, 1, 1, 1) - 1)
            pixels = (pixels + 1) * gain - 1
        groups = self.config.view_groups
        outputs: list[Tensor | None] = [None] * len(groups)
        for number, encoder in enumerate(self.encoders):
            views = [view for view, group in enumerate(groups) if group == number]
            stack = pixels[:, views].flatten(0, 1).contiguous(memory_format=torch.channels_last)
            encoded = encoder(stack).unflatten(0, (len(pixels), len(views)))
            for position, view in enumerate(views):
                outputs[view] = encoded[:, position]
        return torch.cat([output for output in outputs if output is not None], dim=1)
