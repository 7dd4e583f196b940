"""Which models a training can make: ours at any size, the published ones, and the peers of Table V."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from rise_learning.errors import ConfigError
from rise_worldmodel.pi05.config import Pi05Config


@dataclass(frozen=True)
class ValueBackbone:
    """Convolutions, one encoder per kind of camera (rise_worldmodel.value)."""


@dataclass(frozen=True)
class Pi05Backbone(ValueBackbone):
    """PaliGemma out of pi0.5 (rise_worldmodel.pi05.value)."""

    architecture: Pi05Config = field(default_factory=Pi05Config)
    weights: str = ""
    """Local directory of published weights, as for the policy; `random` begins without."""


@dataclass(frozen=True)
class DynamicsModel:
    """Size of the transformer."""

    heads: int = 4
    head_dim: int = 32
    layers: int = 4


@dataclass(frozen=True)
class PatchModel(DynamicsModel):
    """The dynamics that two CPU cores can train: patches coded in closed form, a small transformer."""

    patch: int = 16
    """Side of the square that one latent covers, pixels."""
    channels: int = 192
    """Numbers per latent."""
    maps_per_group: int = 1
    """Control maps drawn for every group of five frames: 1 or 5. Five cost four times the drawing and show what lies
    between two maps."""


@dataclass(frozen=True)
class GenieEnvisionerModel(PatchModel):
    """Genie Envisioner as published, small: no actions, no control maps; memory frames and the instruction's words."""


@dataclass(frozen=True)
class CosmosModel(PatchModel):
    """Cosmos-Predict, small: views side by side, actions as tokens in place of the prompt's."""


@dataclass(frozen=True)
class GeBaseModel(DynamicsModel):
    """GE-Base on LTX-Video 2B with its VAE."""

    heads: int = 32
    head_dim: int = 64
    layers: int = 28
    caption_channels: int = 4096
    checkpointing: bool = True
    """Recompute activations in the backward pass."""
    ge_base: str = ""
    """Local safetensors file or directory of GE-Base; `random` begins without."""
    vae: str = ""
    """Local folder `vae` of LTX-Video, with its config.json."""


@dataclass(frozen=True)
class PublishedGenieEnvisionerModel(GeBaseModel):
    """Genie Envisioner as published, with its weights."""

    text_encoder: str = ""
    """Local directory with text_encoder/ of LTX-Video and tokenizer/tokenizer.json of T5; `random` reads hashed words
    instead."""


@dataclass(frozen=True)
class PublishedCosmosModel(DynamicsModel):
    """Cosmos-Predict2.5 2B on Wan's VAE, with its weights."""

    heads: int = 16
    head_dim: int = 128
    layers: int = 28
    caption_channels: int = 1024
    checkpointing: bool = True
    cosmos: str = ""
    """Local safetensors file or directory of the transformer in diffusers' layout; `random` begins without."""
    vae: str = ""
    """Local folder `vae` of Cosmos-Predict2.5, with its config.json."""


Architecture = Literal["rise", "genie_envisioner", "cosmos"]
"""Ours, and the peers of Table V."""
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)


def peer_model(ours: DynamicsModel, architecture: str) -> DynamicsModel:
    """The model of `architecture` at the size of `ours`. Raises ConfigError for an unknown one."""
    if architecture == "rise":
        return ours
    if architecture not in ARCHITECTURES:
        raise ConfigError(f"no architecture {architecture!r}; there are: {', '.join(ARCHITECTURES)}")
    if isinstance(ours, GeBaseModel):
        return PublishedCosmosModel() if architecture == "cosmos" else PublishedGenieEnvisionerModel()
    return (CosmosModel if architecture == "cosmos" else GenieEnvisionerModel)(**vars(ours))
