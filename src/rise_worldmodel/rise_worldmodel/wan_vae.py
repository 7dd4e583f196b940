"""Wan 2.1's VAE (diffusers) as codec, as Cosmos-Predict2.5 uses it: 4 frames x 8 x 8 pixels to 16 numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from rise_worldmodel.config import WanVaeConfig
from rise_worldmodel.ltx_vae import LtxVaeCodec, vae_settings


class WanVaeCodec(LtxVaeCodec):
    """Clips and context as with LTX-Video's VAE; the mean and deviation of latents are in the configuration."""

    @staticmethod
    def _build(settings: dict[str, Any]) -> Any:
        return AutoencoderKLWan.from_config(settings)

    def _normalized(self, latents: Tensor) -> Tensor:
        mean, deviation = self._statistics(latents)
        return (latents - mean) / deviation

    def _decode(self, volume: Tensor) -> Tensor:
        mean, deviation = self._statistics(volume)
        return self.vae.decode((volume * deviation + mean).to(self.vae.dtype), return_dict=False)[0]

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """(1, C, 1, 1, 1) mean and deviation of latents."""
        config = self.vae.config
        rows = [torch.tensor(row, device=like.device) for row in (config.latents_mean, config.latents_std)]
        return rows[0].view(1, -1, 1, 1, 1), rows[1].view(1, -1, 1, 1, 1)


def wan_config(directory: str | Path) -> WanVaeConfig:
    """Configuration of Wan's VAE from its config.json. Raises CheckpointError where it is another's."""
    return WanVaeConfig(vae_settings(directory, AutoencoderKLWan.__name__, "Cosmos-Predict2.5"))
