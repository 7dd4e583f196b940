"""pi0.5: the action expert denoises a chunk while it reads the prefix's keys and values."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from rise_worldmodel.pi05.backbone import PaliGemmaBackbone, Prefix
from rise_worldmodel.pi05.config import Pi05Config
from rise_worldmodel.pi05.gemma import GemmaLayer, GemmaStack

MIN_PERIOD, MAX_PERIOD = 4e-3, 4.0


class Pi05Model(nn.Module):
    """Velocity of a noisy chunk, given a prefix, a time and the advantage bin.

    Prefix tokens never look at the chunk, so the prefix is computed once, whatever the number of denoising steps or of
    noise draws. The bin enters the expert beside the time, as an embedding that starts at zero: published weights,
    which know no bins, act as published until training says otherwise.
    """

    def __init__(self, config: Pi05Config, bins: int) -> None:
        """`bins`: labels 1..bins, and 0 for none."""
        super().__init__()
        self.config, width = config, config.expert_width
        self.backbone = PaliGemmaBackbone(config)
        self.expert = GemmaStack(width, config.expert_mlp, config, condition_dim=width)
        self.action_in_proj = nn.Linear(config.action_dim, width)
        self.action_out_proj = nn.Linear(width, config.action_dim)
        self.time_mlp_in = nn.Linear(width, width)
        self.time_mlp_out = nn.Linear(width, width)
        self.bin_embedding = nn.Embedding(bins + 1, width)
        nn.init.zeros_(self.bin_embedding.weight)

    def unread_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that the velocity does not depend on: of the prefix's last layer it reads keys and values only."""
        language = self.backbone.language_model
        last = language.layers[-1]
        assert isinstance(last, GemmaLayer)
        for module in (last.self_attn.q_proj, last.self_attn.o_proj, last.mlp, last.post_attention_layernorm):
            yield from module.parameters()
        yield from language.norm.parameters()

    def velocity(self, prefix: Prefix, noisy: Tensor, time: Tensor, bins: Tensor) -> Tensor:
        """dx/dt of a chunk, noise - actions in expectation.

        Args:
            prefix: of B samples.
            noisy: (B, K, action_dim) at `time` (B,), where 1 is noise and 0 the actions.
            bins: (B,) int64 advantage bin, 0 for none.

        Returns:
            (B, K, action_dim) float32.
        """
        steps = noisy.shape[1]
        before = prefix.present.sum(1, keepdim=True)
        positions = before + torch.arange(steps, device=noisy.device)
        visible = torch.cat([prefix.present, prefix.present.new_ones(len(noisy), steps)], dim=1)
        mask = visible[:, None, None].expand(-1, -1, steps, -1)
        hidden, _ = self.expert(self.action_in_proj(noisy), positions, mask, prefix.caches, self._condition(time, bins))
        return self.action_out_proj(hidden).float()

    def _condition(self, time: Tensor, bins: Tensor) -> Tensor:
        """(B, expert_width) of time and bin, for the adaptive norms."""
        embedded = sinusoids(time, self.config.expert_width).to(self.time_mlp_in.weight.dtype)
        hidden = functional.silu(self.time_mlp_in(embedded))
        return functional.silu(self.time_mlp_out(hidden)) + self.bin_embedding(bins)


def sinusoids(time: Tensor, dim: int) -> Tensor:
    """(B,) times in [0, 1] -> (B, dim) sines and cosines of periods from 4e-3 to 4."""
    share = torch.linspace(0.0, 1.0, dim // 2, device=time.device)
    angles = time.float()[:, None] * 2 * math.pi / (MIN_PERIOD * (MAX_PERIOD / MIN_PERIOD) ** share)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
