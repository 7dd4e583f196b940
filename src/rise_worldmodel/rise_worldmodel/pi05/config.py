"""Sizes of pi0.5; the defaults are those of the published weights."""

from __future__ import annotations

from dataclasses import dataclass

from rise_worldmodel.config import Config
from rise_worldmodel.errors import ConfigError


@dataclass(frozen=True)
class Pi05Config(Config):
    """PaliGemma 3B (SigLIP So400m/14, Gemma 2B) with the action expert of 300M and adaRMS.

    Attributes:
        resolution: side of the square images that SigLIP sees, pixels; a multiple of `patch`.
        patch: side of one image token, pixels.
        vision_width, vision_layers, vision_heads, vision_mlp: of SigLIP.
        width, mlp: of Gemma. layers, heads, kv_heads, head_dim: of Gemma and of the expert alike.
        vocabulary: text tokens.
        expert_width, expert_mlp: of the action expert.
        action_dim: numbers per action that the expert knows; robots with fewer leave the rest at zero.
        max_tokens: of a prompt.
        checkpointing: recompute activations in the backward pass (memory against a third more time).
    """

    resolution: int = 224
    patch: int = 14
    vision_width: int = 1152
    vision_layers: int = 27
    vision_heads: int = 16
    vision_mlp: int = 4304
    width: int = 2048
    mlp: int = 16384
    layers: int = 18
    heads: int = 8
    kv_heads: int = 1
    head_dim: int = 256
    vocabulary: int = 257152
    expert_width: int = 1024
    expert_mlp: int = 4096
    action_dim: int = 32
    max_tokens: int = 200
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.resolution % self.patch:
            raise ConfigError(f"resolution {self.resolution} must be a multiple of patch {self.patch}")
        if self.heads % self.kv_heads:
            raise ConfigError(f"heads {self.heads} must be a multiple of kv_heads {self.kv_heads}")

    @property
    def image_tokens(self) -> int:
        """Tokens of one image."""
        return (self.resolution // self.patch) ** 2


def tiny_pi05() -> Pi05Config:
    """The same classes at a size for tests: 16x16 images, four tokens each, bytes as text."""
    return Pi05Config(
        resolution=16, patch=8, vision_width=24, vision_layers=1, vision_heads=2, vision_mlp=32,
        width=32, mlp=48, layers=2, heads=4, kv_heads=1, head_dim=8, vocabulary=260,
        expert_width=16, expert_mlp=32, action_dim=16,
    )  # fmt: skip
