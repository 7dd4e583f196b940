"""Gemma's decoder as pi0.5 uses it: full attention, keys and values handed on, and adaptive norms for the expert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import GemmaConfig
from transformers.models.gemma.modeling_gemma import (
    GemmaMLP,
    GemmaRMSNorm,
    GemmaRotaryEmbedding,
    apply_rotary_pos_emb,
)

from rise_worldmodel.pi05.config import Pi05Config

EPSILON = 1e-6


class KeyValue(NamedTuple):
    """Keys and values of one layer, (B, kv_heads, L, head_dim) each."""

    key: Tensor
    value: Tensor


class AdaptiveRmsNorm(nn.Module):
    """RMS norm whose scale, shift and residual gate are linear in a condition (adaRMS); zero at first: no residual."""

    def __init__(self, dim: int, condition_dim: int) -> None:
        super().__init__()
        self.dense = nn.Linear(condition_dim, 3 * dim)
        nn.init.zeros_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, hidden: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, d), (B, condition_dim) -> normalised (B, L, d) and gate (B, 1, d)."""
        scale, shift, gate = self.dense(condition)[:, None].chunk(3, dim=-1)
        normed = functional.rms_norm(hidden.float(), hidden.shape[-1:], eps=EPSILON)
        return (normed * (1 + scale.float()) + shift.float()).to(hidden.dtype), gate


class GroupedAttention(nn.Module):
    """Attention whose query heads share key and value heads; `past` keys and values come before one's own."""

    def __init__(self, width: int, config: Pi05Config) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.q_proj = nn.Linear(width, config.heads * config.head_dim, bias=False)
        self.k_proj = nn.Linear(width, config.kv_heads * config.head_dim, bias=False)
        self.v_proj = nn.Linear(width, config.kv_heads * config.head_dim, bias=False)
        self.o_proj = nn.Linear(config.heads * config.head_dim, width, bias=False)

    def forward(
        self, hidden: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor, past: KeyValue | None
    ) -> tuple[Tensor, KeyValue]:
        """Hidden (B, L, d); mask (B, 1, L, L_past + L) bool, True where a query may look."""
        query, key, value = (self._split(layer(hidden)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        query, key = apply_rotary_pos_emb(query, key, *rotary)
        if past is not None:
            key, value = torch.cat([past.key, key], dim=2), torch.cat([past.value, value], dim=2)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
        return self.o_proj(mixed.transpose(1, 2).flatten(2)), KeyValue(key, value)

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (-1, self.head_dim)).transpose(1, 2)


class GemmaLayer(nn.Module):
    """Attention and gated MLP, each behind a norm; the adaptive norm also gates what is added."""

    def __init__(self, width: int, mlp: int, config: Pi05Config, condition_dim: int | None) -> None:
        super().__init__()
        self.self_attn = GroupedAttention(width, config)
        self.mlp = GemmaMLP(GemmaConfig(hidden_size=width, intermediate_size=mlp))
        self.input_layernorm = _norm(width, condition_dim)
        self.post_attention_layernorm = _norm(width, condition_dim)

    def forward(
        self,
        hidden: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Tensor,
        past: KeyValue | None,
        condition: Tensor | None,
    ) -> tuple[Tensor, KeyValue]:
        normed, gate = _normed(self.input_layernorm, hidden, condition)
        mixed, cache = self.self_attn(normed, rotary, mask, past)
        hidden = hidden + mixed * gate
        normed, gate = _normed(self.post_attention_layernorm, hidden, condition)
        return hidden + self.mlp(normed) * gate, cache


class GemmaStack(nn.Module):
    """All layers and the final norm; parameter names are those of transformers' GemmaModel."""

    def __init__(self, width: int, mlp: int, config: Pi05Config, condition_dim: int | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(GemmaLayer(width, mlp, config, condition_dim) for _ in range(config.layers))
        self.norm = _norm(width, condition_dim)
        self.rotary = GemmaRotaryEmbedding(GemmaConfig(hidden_size=width, head_dim=config.head_dim))
        self.checkpointing = config.checkpointing

    def forward(
        self,
        hidden: Tensor,
        positions: Tensor,
        mask: Tensor,
        past: Sequence[KeyValue] | None = None,
        condition: Tensor | None = None,
    ) -> tuple[Tensor, list[KeyValue]]:
        """Run the stack.

        Args:
            hidden: (B, L, width) embedded tokens.
            positions: (B, L) for the rotary embedding.
            mask: (B, 1, L, L_past + L) bool, True where a query may look.
            past: keys and values that come before, per layer.
            condition: (B, condition_dim) of the adaptive norms.

        Returns:
            (B, L, width) after the final norm, and keys and values per layer, those of `past` included.
        """
        rotary, caches = self.rotary(hidden, positions), []
        befores: Sequence[KeyValue | None] = past or [None] * len(self.layers)
        for layer, before in zip(self.layers, befores, strict=True):
            arguments = (hidden, rotary, mask, before, condition)
            if self.checkpointing and self.training and torch.is_grad_enabled():
                hidden, cache = checkpoint(layer, *arguments, use_reentrant=False)
            else:
                hidden, cache = layer(*arguments)
            caches.append(cache)
        return _normed(self.norm, hidden, condition)[0], caches


def _norm(width: int, condition_dim: int | None) -> nn.Module:
    return GemmaRMSNorm(width, eps=EPSILON) if condition_dim is None else AdaptiveRmsNorm(width, condition_dim)


def _normed(norm: nn.Module, hidden: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor | float]:
    """Normalised tokens and the gate of the residual, 1 for a norm without condition."""
    return (norm(hidden), 1.0) if condition is None else norm(hidden, condition)
