"""PaliGemma as pi0.5's prefix: SigLIP over every image, Gemma over image and prompt tokens together."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from transformers import SiglipVisionConfig, SiglipVisionModel

from rise_worldmodel.pi05.config import Pi05Config
from rise_worldmodel.pi05.gemma import GemmaStack, KeyValue


class Prefix(NamedTuple):
    """What is seen and asked, read once.

    `hidden` (B, L, width) after the last layer; `present` (B, L) bool, False for padding; `caches` per layer.
    """

    hidden: Tensor
    present: Tensor
    caches: list[KeyValue]

    def repeat(self, times: int) -> Prefix:
        """The whole batch `times` times, one copy after the other."""
        caches = [KeyValue(*(part.repeat(times, 1, 1, 1) for part in cache)) for cache in self.caches]
        return Prefix(self.hidden.repeat(times, 1, 1), self.present.repeat(times, 1), caches)


class LanguageModel(GemmaStack):
    """Gemma with its token embedding."""

    def __init__(self, config: Pi05Config) -> None:
        super().__init__(config.width, config.mlp, config)
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        nn.init.normal_(self.embed_tokens.weight, std=config.width**-0.5)

    def embed(self, tokens: Tensor) -> Tensor:
        """(B, L) -> (B, L, width), scaled by sqrt(width) as Gemma does."""
        return self.embed_tokens(tokens) * self.embed_tokens.embedding_dim**0.5


class PaliGemmaBackbone(nn.Module):
    """Images and prompt tokens to a prefix; every token of it sees every other one."""

    def __init__(self, config: Pi05Config) -> None:
        super().__init__()
        self.config = config
        self.vision_tower = SiglipVisionModel(
            SiglipVisionConfig(
                hidden_size=config.vision_width,
                intermediate_size=config.vision_mlp,
                num_hidden_layers=config.vision_layers,
                num_attention_heads=config.vision_heads,
                image_size=config.resolution,
                patch_size=config.patch,
                vision_use_head=False,
            )
        )
        if config.checkpointing:
            self.vision_tower.activation_checkpointing_enable({"use_reentrant": False})
        self.multi_modal_projector = nn.ModuleDict({"linear": nn.Linear(config.vision_width, config.width)})
        self.language_model = LanguageModel(config)

    def forward(self, images: Tensor, tokens: Tensor, present: Tensor) -> Prefix:
        """Read images and prompt.

        Args:
            images: (B, S, 3, resolution, resolution) float in [-1, 1].
            tokens: (B, L) int64 prompt, padded. present: (B, L) bool, False for padding.
        """
        batch, views = images.shape[:2]
        seen = self.vision_tower(images.flatten(0, 1)).last_hidden_state
        seen = self.multi_modal_projector["linear"](seen).unflatten(0, (batch, views)).flatten(1, 2)
        embedded = torch.cat([seen, self.language_model.embed(tokens).to(seen.dtype)], dim=1)
        everywhere = torch.cat([present.new_ones(batch, seen.shape[1]), present], dim=1)
        mask = (everywhere[:, None, :] & everywhere[:, :, None])[:, None] | _diagonal(everywhere)
        hidden, caches = self.language_model(embedded, everywhere.cumsum(1) - 1, mask)
        return Prefix(hidden, everywhere, caches)


def _diagonal(present: Tensor) -> Tensor:
    """(1, 1, L, L): padding looks at itself, so that no softmax is empty; nobody else looks at it."""
    return torch.eye(present.shape[1], dtype=torch.bool, device=present.device)[None, None]


def letterbox(frames: Tensor, resolution: int) -> Tensor:
    """(N, H, W, 3) uint8 RGB -> (N, 3, resolution, resolution) float in [-1, 1]; black bars keep the aspect ratio."""
    height, width = frames.shape[1:3]
    scale = resolution / max(height, width)
    rows, columns = round(height * scale), round(width * scale)
    pixels = frames.permute(0, 3, 1, 2).float()
    if (rows, columns) != (height, width):
        pixels = functional.interpolate(pixels, (rows, columns), mode="bilinear", antialias=True)
    above, left = (resolution - rows) // 2, (resolution - columns) // 2
    bars = (left, resolution - columns - left, above, resolution - rows - above)
    return functional.pad(pixels / 127.5 - 1.0, bars, value=-1.0)
