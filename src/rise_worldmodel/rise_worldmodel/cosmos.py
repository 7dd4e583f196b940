"""Cosmos-Predict (diffusers' CosmosTransformer3DModel) behind the interface of our transformer: the peer of Table V.

Its architecture is left as published, so that published weights load key by key:

- views stand side by side in one picture, which its attention sees as a whole (it knows no views);
- actions come as tokens where it read those of the prompt (they need no layer of its own; its projection of the text
  encoder's output, `crossattn_proj`, is left out);
- context frames are clean latents of the same clip, marked by its condition mask, at noise level 0.0001.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import CosmosTransformer3DModel
from torch import Tensor, nn

from rise_worldmodel.config import DynamicsConfig

CONTEXT_LEVEL = 1e-4
"""Noise level that Cosmos-Predict2.5 gives to conditioning frames."""
MASKS = 2
"""Channels of the condition mask and of the padding mask, which is zero: nothing is padded."""


class CosmosBackbone(nn.Module):
    """CosmosTransformer3DModel over (B, V, T, N, channels)."""

    def __init__(self, config: DynamicsConfig, in_channels: int, token_dim: int) -> None:
        super().__init__()
        self.model = CosmosTransformer3DModel(
            in_channels=in_channels + MASKS,
            out_channels=config.codec.channels,
            num_attention_heads=config.heads,
            attention_head_dim=config.head_dim,
            num_layers=config.layers,
            text_embed_dim=token_dim,
            adaln_lora_dim=config.adaln_rank,
            patch_size=(1, config.patch, config.patch),
            rope_scale=(1.0, 3.0, 3.0),
            concat_padding_mask=False,  # ours to append: diffusers would need torchvision to resize zeros
            extra_pos_embed_type=None,
        )

    def enable_gradient_checkpointing(self) -> None:
        """Recompute activations in the backward pass."""
        self.model.enable_gradient_checkpointing()

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
        """As `MultiViewTransformer`: hidden_states (B, V, T, N, c), timestep (B, T) -> (B, V, T, N, out_channels).

        `frame_embedding` is not used: conditions of a frame are in `encoder_hidden_states`.
        """
        batch, views, groups = hidden_states.shape[:3]
        rows, columns = grid
        picture = hidden_states.unflatten(3, grid).permute(0, 5, 2, 3, 1, 4).flatten(4)  # (B, c, T, h, V*w)
        level = timestep / 1000.0
        masks = picture.new_zeros(batch, MASKS, groups, rows, views * columns)
        masks[:, 0] = (level == 0.0)[:, :, None, None]
        found = self.model(
            torch.cat([picture, masks], dim=1),
            timestep=level.clamp_min(CONTEXT_LEVEL).view(batch, 1, groups, 1, 1),
            encoder_hidden_states=encoder_hidden_states,
            attention_mask=encoder_attention_mask,
            return_dict=False,
        )[0]
        return found.unflatten(4, (views, columns)).permute(0, 4, 2, 3, 5, 1).flatten(3, 4)


def cosmos_key(key: str) -> str | None:
    """Our name of a key of Cosmos-Predict in diffusers' layout; None for what reads the text encoder."""
    return None if key.startswith("crossattn_proj.") else key
