"""The value model of the paper's size: pi0.5's PaliGemma over all views and the instruction (Table IX)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from rise_worldmodel.config import Config
from rise_worldmodel.errors import ShapeError
from rise_worldmodel.pi05.backbone import PaliGemmaBackbone, letterbox
from rise_worldmodel.pi05.config import Pi05Config
from rise_worldmodel.pi05.layout import backbone_only
from rise_worldmodel.pi05.tokenizer import PADDING, Tokenizer, tokenize
from rise_worldmodel.precision import half_precision
from rise_worldmodel.pretrained import KeyReport, load_pretrained
from rise_worldmodel.value import ValueFunction, ValueOutput


@dataclass(frozen=True)
class Pi05ValueConfig(Config):
    """pi0.5 without its expert, and one or two linear heads.

    Attributes:
        views: cameras, V.
        height, width: of every frame, pixels.
        auxiliary_dim: outputs of the auxiliary head, 0 for none (see ValueConfig).
        bfloat16: train in bfloat16 where this processor has instructions for it.
        architecture: sizes of pi0.5.
    """

    views: int
    height: int
    width: int
    auxiliary_dim: int = 0
    bfloat16: bool = True
    architecture: Pi05Config = field(default_factory=Pi05Config)

    def __post_init__(self) -> None:
        if isinstance(self.architecture, dict):
            object.__setattr__(self, "architecture", Pi05Config.from_dict(self.architecture))


class Pi05Value(ValueFunction):
    """V from the last token of `Task: sort the bricks;` after it has seen every view and every word."""

    frames_at_once = 32

    def __init__(self, config: Pi05ValueConfig, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.backbone = PaliGemmaBackbone(config.architecture)
        self.value_head = nn.Linear(config.architecture.width, 1)
        self.auxiliary_head = (
            nn.Linear(config.architecture.width, config.auxiliary_dim) if config.auxiliary_dim else None
        )

    def load_published(self, directory: Path) -> KeyReport:
        """The backbone's part of pi0.5's weights; the heads are ours. Raises CheckpointError on any misfit."""
        return load_pretrained(self.backbone, directory, backbone_only)

    def save_assets(self, directory: Path) -> None:
        self.tokenizer.save(directory)

    def encode_text(self, instructions: Tensor | Sequence[str] | None) -> Tensor | None:
        if instructions is None or isinstance(instructions, Tensor):
            return instructions
        texts = [f"Task: {text.strip().rstrip('.')};" for text in instructions]
        return tokenize(self.tokenizer, texts, self.config.architecture)[0]

    def forward(self, frames: Tensor, instructions: Tensor | Sequence[str] | None = None) -> ValueOutput:
        config, words = self.config, self.encode_text(instructions)
        expected = (config.views, config.height, config.width, 3)
        if tuple(frames.shape[1:]) != expected or frames.dtype != torch.uint8:
            raise ShapeError(f"frames must be (B, *{expected}) uint8, got {tuple(frames.shape)} {frames.dtype}")
        if words is None or len(words) != len(frames):
            raise ShapeError(f"expected {len(frames)} instructions, got {'none' if words is None else len(words)}")
        device = self.value_head.weight.device
        tokens, seen = words.to(device), frames.to(device).flatten(0, 1)
        images = letterbox(seen, config.architecture.resolution).unflatten(0, frames.shape[:2])
        with half_precision(device, config.bfloat16 and (self.training or device.type == "cuda")):
            hidden = self.backbone(images, tokens, tokens != PADDING).hidden
            last = hidden.shape[1] - tokens.shape[1] + (tokens != PADDING).sum(1) - 1
            read = hidden[torch.arange(len(hidden), device=device), last]
            value = self.value_head(read)[:, 0]
            auxiliary = read[:, :0] if self.auxiliary_head is None else self.auxiliary_head(read)
        return ValueOutput(value.float(), auxiliary.float(), read.float())
