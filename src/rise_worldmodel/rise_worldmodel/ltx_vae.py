"""LTX-Video's VAE (diffusers) as codec: published, frozen, 8 frames x 32 x 32 pixels to 128 numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLLTXVideo
from torch import Tensor

from rise_worldmodel.config import LtxVaeConfig
from rise_worldmodel.errors import CheckpointError, ShapeError
from rise_worldmodel.latent_codec import Context, LatentCodec, to_grid, to_tokens
from rise_worldmodel.pretrained import KeyReport, load_pretrained


class LtxVaeCodec(LatentCodec):
    """Normalised latents, every view on its own; the future is one clip, each context frame another, as in GE-Base.

    The first latent of a clip covers one frame, every other one `frames_per_group`. Encoding takes the mode of the
    distribution, decoding adds no noise: the same frames give the same latents.
    """

    def __init__(self, config: LtxVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.vae = self._build(dict(config.settings)).eval().requires_grad_(False)

    @staticmethod
    def _build(settings: dict[str, Any]) -> Any:
        return AutoencoderKLLTXVideo.from_config(settings)

    def train(self, mode: bool = True) -> LtxVaeCodec:
        """Stays as it is: the VAE is not trained."""
        return super().train(False)

    def fit(self, frames: Tensor) -> None:
        """Nothing to fit."""

    def load_published(self, directory: Path) -> KeyReport:
        """Weights of `directory` (config.json beside one safetensors file or shards), strictly."""
        return load_pretrained(self.vae, directory, lambda key: key)

    @torch.no_grad()
    def future(self, frames: Tensor) -> Tensor:
        return to_tokens(self._encode(frames))

    @torch.no_grad()
    def context(self, frames: Tensor) -> Context:
        batch, count = frames.shape[:2]
        alone = to_tokens(self._encode(frames.flatten(0, 1)[:, None]))  # (B*C, V, 1, N, channels)
        motion = alone.unflatten(0, (batch, count)).squeeze(3).transpose(1, 2)
        still = motion[:, :, -1:]
        return Context(motion, still[..., :0], still)

    @torch.no_grad()
    def frames(self, latents: Tensor, grid: tuple[int, int], last: Tensor, drawn: Tensor | None = None) -> Tensor:
        assert drawn is None, "no content codes, no control maps"
        batch, views = latents.shape[:2]
        volume = to_grid(latents, grid).permute(0, 2, 5, 1, 3, 4).flatten(0, 1)  # (B*V, C, G, h, w)
        video = self._decode(volume)
        pixels = ((video.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return pixels.unflatten(0, (batch, views)).permute(0, 3, 1, 4, 5, 2)

    def _normalized(self, latents: Tensor) -> Tensor:
        """(N, C, G, h, w) of the VAE -> about standard normal, as the published transformer knows them."""
        scale = self.vae.config.scaling_factor / self._per_channel(self.vae.latents_std)
        return (latents - self._per_channel(self.vae.latents_mean)) * scale

    def _decode(self, volume: Tensor) -> Tensor:
        """Normalised (N, C, G, h, w) -> video (N, 3, F, H, W) in [-1, 1]."""
        vae = self.vae
        volume = volume.to(vae.dtype) * self._per_channel(vae.latents_std) / vae.config.scaling_factor
        clean = torch.zeros(len(volume), device=volume.device) if vae.config.timestep_conditioning else None
        return vae.decode(volume + self._per_channel(vae.latents_mean), clean, return_dict=False)[0]

    def _encode(self, frames: Tensor) -> Tensor:
        """(B, F, V, H, W, 3) uint8 -> (B, G, V, h, w, C) normalised."""
        if frames.dim() != 6 or (frames.shape[1] - 1) % self.config.frames_per_group or frames.dtype != torch.uint8:
            raise ShapeError(
                f"frames must be (B, F, V, H, W, 3) uint8 with F one more than a multiple of "
                f"{self.config.frames_per_group}, got {tuple(frames.shape)} {frames.dtype}"
            )
        vae, batch, views = self.vae, frames.shape[0], frames.shape[2]
        video = frames.permute(0, 2, 5, 1, 3, 4).flatten(0, 1).to(vae.dtype) / 127.5 - 1.0
        latents = self._normalized(vae.encode(video).latent_dist.mode())
        return latents.float().unflatten(0, (batch, views)).permute(0, 3, 1, 4, 5, 2)

    @staticmethod
    def _per_channel(values: Tensor) -> Tensor:
        return values.view(1, -1, 1, 1, 1)

    @property
    def pixel_weight(self) -> Tensor:
        return torch.ones(self.config.channels, device=self.vae.device)

    @property
    def numbers_per_latent(self) -> int:
        return self.config.channels


def vae_config(directory: str | Path) -> LtxVaeConfig:
    """Configuration of LTX-Video's VAE from its config.json. Raises CheckpointError where it is another's."""
    return LtxVaeConfig(vae_settings(directory, AutoencoderKLLTXVideo.__name__, "LTX-Video"))


def vae_settings(directory: str | Path, expected: str, whose: str) -> dict[str, Any]:
    """What the config.json of a published VAE sets. Raises CheckpointError where it is not of class `expected`."""
    path = Path(directory) / "config.json"
    try:
        settings = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}; expected the folder `vae` of {whose}") from error
    if settings.get("_class_name") != expected:
        raise CheckpointError(f"{path} describes {settings.get('_class_name')!r}, expected {expected}")
    return {name: value for name, value in settings.items() if not name.startswith("_")}
