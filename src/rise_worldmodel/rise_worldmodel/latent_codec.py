"""What every codec is: frames to latents and back, and what the dynamics are told of the past."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rise_worldmodel.errors import ConfigError


class Context(NamedTuple):
    """What the dynamics know of the past: latents (B, V, T, N, channels).

    `motion`: of the context frames, T_c groups; `content`: codes of the last frame's patches, T = 1, perhaps of no
    channels; `still`: latents of the last frame standing still, T = 1.
    """

    motion: Tensor
    content: Tensor
    still: Tensor

    def noisy(self, std: float, generator: torch.Generator | None) -> Context:
        """With noise on what the network sees, for robustness to blur and artifacts (Sec. III-A)."""
        motion, content = (
            part + std * torch.randn(part.shape, generator=generator).to(part.device) for part in self[:2]
        )
        return Context(motion, content, self.still)


class LatentCodec(nn.Module, ABC):
    """Frames (B, F, V, H, W, 3) uint8 to latents (B, V, G, N, channels) and back; N = rows * columns."""

    @abstractmethod
    def fit(self, frames: Tensor) -> None:
        """Learn from clips (N, F, V, H, W, 3) uint8, once, before training; published codecs have learned already."""

    @abstractmethod
    def future(self, frames: Tensor) -> Tensor:
        """Clean latents of the frames that follow."""

    @abstractmethod
    def context(self, frames: Tensor) -> Context:
        """Conditions from the frames up to now."""

    def content(self, frame: Tensor) -> Tensor:
        """Codes (B, V, 1, N, content_channels) of what one picture (B, V, H, W, 3) uint8 shows.

        Raises:
            ConfigError: a codec without them.
        """
        raise ConfigError(f"{type(self).__name__} has no content codes; control_maps need them")

    @abstractmethod
    def frames(self, latents: Tensor, grid: tuple[int, int], last: Tensor, drawn: Tensor | None = None) -> Tensor:
        """Latents -> frames that follow `last` (B, V, H, W, 3) uint8; `grid` (rows, columns).

        Args:
            drawn: (B, F, V, H, W, 3) uint8 drawings of these frames, whose detail they take where they show the same;
                only for codecs with content codes, as control maps are.
        """

    def differentiable_frames(
        self, latents: Tensor, grid: tuple[int, int], last: Tensor, drawn: Tensor | None = None
    ) -> Tensor:
        """As `frames`, in floating point and without rounding, so that gradients reach the latents.

        Raises:
            ConfigError: a codec whose pixels are no linear function of its latents.
        """
        raise ConfigError(f"{type(self).__name__} is not linear; value_weight needs the patch codec")

    def squared_error(self, difference: Tensor, where: Tensor) -> Tensor:
        """Squared error of intensities in [0, 1] that a difference of latents makes, in chosen pixels.

        Args:
            difference: (B, V, G, N, channels) of latents.
            where: (B, F, V, H, W) bool.

        Returns:
            (B, V, G, N) sums over the pixels of each latent.

        Raises:
            ConfigError: a codec whose pixels are no linear function of its latents.
        """
        raise ConfigError(f"{type(self).__name__} is not linear; errors in chosen pixels need the patch codec")

    @property
    @abstractmethod
    def pixel_weight(self) -> Tensor:
        """(channels,) weights that turn squared errors of latents into what the loss counts."""

    @property
    @abstractmethod
    def numbers_per_latent(self) -> int:
        """What a weighted sum of squared errors over one latent is divided by to become a mean."""


def to_tokens(latents: Tensor) -> Tensor:
    """(B, G, V, h, w, C) -> (B, V, G, h*w, C)."""
    return latents.flatten(3, 4).transpose(1, 2)


def to_grid(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, V, G, h*w, C) -> (B, G, V, h, w, C)."""
    return tokens.transpose(1, 2).unflatten(3, grid)
