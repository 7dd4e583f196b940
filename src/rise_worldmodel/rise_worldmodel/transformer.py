"""LTX's video transformer (diffusers) over several views, conditioned per frame, as in Genie Envisioner GE-Base."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_ltx import (
    LTXAttention,
    LTXVideoTransformer3DModel,
    LTXVideoTransformerBlock,
    apply_rotary_emb,
)
from torch import Tensor, nn


class FoldedViewAttention:
    """Attention processor: tokens arrive as (B*V, L, d) and attend within their view, or across all V views."""

    def __init__(self, views: int) -> None:
        self.views = views

    def __call__(
        self,
        attn: LTXAttention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Queries (B*V, L, d); keys from `encoder_hidden_states` (B, L', d), shared by all views, where given."""
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = _rms(attn.norm_q, attn.to_q(hidden_states))
        key = _rms(attn.norm_k, attn.to_k(source))
        value = attn.to_v(source)
        if image_rotary_emb is not None:
            query, key = apply_rotary_emb(query, image_rotary_emb), apply_rotary_emb(key, image_rotary_emb)
        fold = self.views if encoder_hidden_states is None else 1
        query = _heads(query, self.views if encoder_hidden_states is not None else fold, attn.heads)
        key, value = _heads(key, fold, attn.heads), _heads(value, fold, attn.heads)
        mixed = dispatch_attention_fn(query, key, value, attn_mask=attention_mask)
        return attn.to_out[0](mixed.flatten(2, 3).reshape(hidden_states.shape))


class MultiViewBlock(LTXVideoTransformerBlock):
    """LTX's block, same parameters and arithmetic, modulated per frame (broadcast over the frame's tokens)."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        modulation: Tensor,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        encoder_attention_mask: Tensor | None = None,
    ) -> Tensor:
        """hidden_states (B*V, T, N, d); encoder_hidden_states (B, L', d) and its mask (B, 1, 1, L'); modulation
        (B*V, T, 6*d).
        """
        shape = hidden_states.shape
        table = self.scale_shift_table.to(hidden_states.dtype)
        values = (table + modulation.unflatten(-1, (6, -1)))[:, :, None]  # (B*V, T, 1, 6, d)
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = values.unbind(dim=3)
        normed = torch.addcmul(shift_a, _rms(self.norm1, hidden_states), 1 + scale_a)
        mixed = self.attn1(normed.flatten(1, 2), image_rotary_emb=image_rotary_emb)
        hidden_states = torch.addcmul(hidden_states, mixed.view(shape), gate_a)
        crossed = self.attn2(
            hidden_states.flatten(1, 2),
            encoder_hidden_states=encoder_hidden_states,
            attention_mask=encoder_attention_mask,
        )
        hidden_states = hidden_states + crossed.view(shape)
        normed = torch.addcmul(shift_m, _rms(self.norm2, hidden_states), 1 + scale_m)
        return torch.addcmul(hidden_states, self.ff(normed), gate_m)


class MultiViewTransformer(LTXVideoTransformer3DModel):
    """LTXVideoTransformer3DModel over (B, V, T, N, channels) with view embedding and per-frame conditions.

    Parameter names are those of diffusers, plus `view_embed` and, where asked for, `position_embed` and GE-Base's
    `view_ada`. Every `cross_view_every`-th block attends across views, counted so that the last block does (and with
    GE-Base's 28 blocks the first one, too).
    """

    @register_to_config
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_attention_heads: int,
        attention_head_dim: int,
        num_layers: int,
        caption_channels: int,
        views: int,
        cross_view_every: int = 1,
        rotary: bool = False,
        rotary_scale: tuple[float, float, float] | None = None,
        positions: tuple[int, int] | None = None,
        view_modulation: bool = False,
    ) -> None:
        """A network of fresh weights.

        Args:
            rotary_scale: what one latent is along (time in s, rows, columns in pixels); None counts latents.
            positions: (T, N) of the learned position embedding, None for none.
            view_modulation: the view modulates every block through a layer of its own, as in GE-Base; otherwise it is
                added to tokens and condition.
        """
        dim = num_attention_heads * attention_head_dim
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            num_attention_heads=num_attention_heads,
            attention_head_dim=attention_head_dim,
            cross_attention_dim=dim,
            num_layers=num_layers,
            caption_channels=caption_channels,
        )
        for number, block in enumerate(self.transformer_blocks):
            block.__class__ = MultiViewBlock
            crosses = (num_layers - 1 - number) % cross_view_every == 0
            block.attn1.set_processor(FoldedViewAttention(views if crosses else 1))
            block.attn2.set_processor(FoldedViewAttention(views))
        self.view_embed = nn.Parameter(torch.randn(views, dim) * 0.02)
        self.view_ada = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim)) if view_modulation else None
        self.position_embed = None if positions is None else nn.Parameter(torch.randn(*positions, dim) * 0.5)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        frame_embedding: Tensor,
        grid: tuple[int, int],
        encoder_attention_mask: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """One evaluation of the network.

        Args:
            hidden_states: (B, V, T, N, in_channels), N = rows * columns of `grid`.
            encoder_hidden_states: (B, L', caption_channels), seen by every token.
            timestep: (B, T) noise level times 1000 of every frame group.
            frame_embedding: (B, T, d) condition of every frame group, added to its timestep embedding.
            encoder_attention_mask: (B, L') bool, False for padding; None where all tokens count.

        Returns:
            (B, V, T, N, out_channels).
        """
        batch, views, groups = hidden_states.shape[:3]
        hidden = self.proj_in(hidden_states)
        if self.position_embed is not None:
            hidden = hidden + self.position_embed
        if self.view_ada is None:
            hidden = hidden + self.view_embed[:, None, None]
        hidden = hidden.flatten(0, 1)
        frequencies = self._rotary(hidden, groups, grid)
        condition = self._condition(timestep, hidden.dtype).view(batch, 1, groups, -1) + frame_embedding[:, None]
        condition, modulation = self._modulation(condition)
        tokens = self.caption_projection(encoder_hidden_states)
        mask = None if encoder_attention_mask is None else encoder_attention_mask[:, None, None]
        for block in self.transformer_blocks:
            if self.gradient_checkpointing and torch.is_grad_enabled():
                hidden = self._gradient_checkpointing_func(block, hidden, tokens, modulation, frequencies, mask)
            else:
                hidden = block(hidden, tokens, modulation, frequencies, mask)
        shift, scale = (self.scale_shift_table + condition[:, :, None]).unbind(2)
        hidden = torch.addcmul(shift[:, :, None], self.norm_out(hidden), 1 + scale[:, :, None])
        return self.proj_out(hidden).unflatten(0, (batch, views))

    def _rotary(self, hidden: Tensor, groups: int, grid: tuple[int, int]) -> tuple[Tensor, Tensor] | None:
        return self.rope(hidden, groups, *grid, self.config.rotary_scale) if self.config.rotary else None

    def _modulation(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, T, d) of time and actions -> condition (B*V, T, d) of output, modulation (B*V, T, 6*d) of blocks."""
        seen = (condition + self.view_embed[:, None]).flatten(0, 1)
        if self.view_ada is None:
            return seen, self.time_embed.linear(functional.silu(seen))
        of_time = self.time_embed.linear(functional.silu(condition))  # (B, 1, T, 6*d)
        return seen, (of_time + self.view_ada(self.view_embed)[:, None]).flatten(0, 1)

    def _condition(self, timestep: Tensor, dtype: torch.dtype) -> Tensor:
        embed = self.time_embed.emb
        return embed.timestep_embedder(embed.time_proj(timestep.flatten()).to(dtype))


def _heads(tokens: Tensor, fold: int, heads: int) -> Tensor:
    """(B*fold, L, d) -> (B, fold*L, heads, d/heads)."""
    return tokens.reshape(tokens.shape[0] // fold, -1, heads, tokens.shape[-1] // heads)


def _rms(norm: Any, tokens: Tensor) -> Tensor:
    """Root-mean-square norm with the norm's own weight, in the tokens' type."""
    weight = norm.weight.to(tokens.dtype) if isinstance(norm.weight, Tensor) else None
    return functional.rms_norm(tokens, tokens.shape[-1:], weight, norm.eps)
