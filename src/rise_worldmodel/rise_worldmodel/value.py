"""The progress value model V(o, l) of Sec. III-A: all views of one frame and the instruction to one number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rise_worldmodel.config import ValueConfig
from rise_worldmodel.errors import ShapeError
from rise_worldmodel.text import PADDING, hashed_words


class ValueOutput(NamedTuple):
    """`value` (B,), in progress from 0 to 1 and below 0 towards failure; `auxiliary` (B, auxiliary_dim) logits;
    `features` (B, D), what both are read from."""

    value: Tensor
    auxiliary: Tensor
    features: Tensor


class ValueFunction(nn.Module, ABC):
    """V(o, l): what training, imagination and reports know of a value model."""

    config: Any
    """With `views`, `height` and `width` of its frames, and `auxiliary_dim`."""
    frames_at_once: ClassVar[int] = 256
    """Frames whose values are computed together outside of training, which bounds the memory."""

    @abstractmethod
    def encode_text(self, instructions: Tensor | Sequence[str] | None) -> Tensor | None:
        """Instructions as (B, L) numbers, to be repeated per frame; None where they are ignored."""

    @abstractmethod
    def forward(self, frames: Tensor, instructions: Tensor | Sequence[str] | None = None) -> ValueOutput:
        """Value of frames (B, V, H, W, 3) uint8, or floating point of 0..255 where gradients are wanted.

        Args:
            frames: one time step, all views.
            instructions: B strings or their `encode_text`; required where the model reads them.
        """

    def save_assets(self, directory: Path) -> None:
        """Put beside the weights what they do not hold, e.g. a tokenizer."""


class ValueModel(ValueFunction):
    """One convolutional encoder per kind of view, the instruction's words, and one head for value and auxiliary."""

    def __init__(self, config: ValueConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleList(_encoder(config, full) for full in config.full_resolution)
        text_dim = config.text_dim if config.text_vocabulary else 0
        self.words = (
            nn.EmbeddingBag(config.text_vocabulary, text_dim, mode="mean", padding_idx=PADDING) if text_dim else None
        )
        self.trunk = nn.Sequential(
            nn.Linear(config.views * config.feature_dim + text_dim, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.SiLU(),
        )
        self.value_head = nn.Linear(config.hidden, 1)
        self.auxiliary_head = nn.Linear(config.hidden, config.auxiliary_dim) if config.auxiliary_dim else None

    def encode_text(self, instructions: Tensor | Sequence[str] | None) -> Tensor | None:
        if instructions is None or isinstance(instructions, Tensor):
            return instructions
        return hashed_words(instructions, self.config.text_vocabulary) if self.config.text_vocabulary else None

    def forward(self, frames: Tensor, instructions: Tensor | Sequence[str] | None = None) -> ValueOutput:
        config = self.config
        expected = (config.views, config.height, config.width, 3)
        if tuple(frames.shape[1:]) != expected or not (frames.dtype == torch.uint8 or frames.requires_grad):
            raise ShapeError(f"frames must be (B, *{expected}) uint8, got {tuple(frames.shape)} {frames.dtype}")
        images = (frames.permute(1, 0, 4, 2, 3).float() - 127.5) / 64.0  # (V, B, 3, H, W), channels last in memory
        features: list[Tensor] = [images] * config.views
        for number, encoder in enumerate(self.encoders):
            shown = [view for view, use in enumerate(config.encoder_of_view) if use == number]
            stack = images[shown].flatten(0, 1).contiguous(memory_format=torch.channels_last)
            for view, feature in zip(shown, encoder(stack).chunk(len(shown)), strict=True):
                features[view] = feature
        if self.words is not None:
            features = [*features, self.words(self._tokens(instructions, len(frames)))]
        hidden = self.trunk(torch.cat(features, dim=-1))
        auxiliary = hidden[:, :0] if self.auxiliary_head is None else self.auxiliary_head(hidden)
        return ValueOutput(self.value_head(hidden)[:, 0].float(), auxiliary.float(), hidden)

    def _tokens(self, instructions: Tensor | Sequence[str] | None, batch: int) -> Tensor:
        if instructions is None or len(instructions) != batch:
            came = "none" if instructions is None else len(instructions)
            raise ShapeError(f"expected {batch} instructions, got {came} (text_vocabulary=0 does without)")
        return (
            instructions
            if isinstance(instructions, Tensor)
            else hashed_words(instructions, self.config.text_vocabulary)
        )


def _encoder(config: ValueConfig, full_resolution: bool) -> nn.Sequential:
    """Image (B, 3, H, W) to features (B, feature_dim): strided convolutions, flattened so that places are kept."""
    first = config.channels[0]
    stem = nn.Conv2d(3, first, 3, padding=1) if full_resolution else nn.Conv2d(3, first, 4, stride=2, padding=1)
    layers: list[nn.Module] = [stem, nn.ReLU(inplace=True)]
    height, width = (config.height, config.width) if full_resolution else (config.height // 2, config.width // 2)
    wider = config.channels[1:] if not full_resolution else (first, *config.channels[1:])
    for before, after in zip((first, *wider[:-1]), wider, strict=True):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU(inplace=True)]
        height, width = -(-height // 2), -(-width // 2)
    flat = wider[-1] * height * width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, config.feature_dim), nn.ReLU(inplace=True))
