"""Exponential moving average of a module's weights, with warm-up."""

from __future__ import annotations

import copy

import torch
from torch import nn

from rise_learning.training.sharding import local


class Ema:
    """`average <- d average + (1 - d) weights` with d = min(decay, (1 + n) / (10 + n)) at the n-th update."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module, updates: int) -> None:
        """Blend in `module` after its `updates`-th step (counted from 0)."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        torch._foreach_lerp_(local(list(self.module.parameters())), local(list(module.parameters())), 1 - decay)
        for average, value in zip(self.module.buffers(), module.buffers(), strict=True):
            average.copy_(value)
