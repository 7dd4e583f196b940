"""How far an imagination may be trusted: do those of other noise and steps agree, does the codec know the scene?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.latent_codec import to_grid

SCALE = 0.1
"""Disagreement in units of value at which trust has fallen to 1/e."""
_NEXT = 0x9E3779B97F4A7C15
"""Step between the seeds of one imagination's repetitions (the golden ratio of 2^64)."""


@dataclass(frozen=True)
class TrustConfig:
    """How imaginations are repeated to be compared.

    Attributes:
        repeats: imaginations of every chunk beside the one that is returned, each of its own noise.
        steps: their Euler steps; 0: those of the one that is returned.
    """

    repeats: int = 1
    steps: int = 4


@dataclass(frozen=True)
class Doubt:
    """What speaks against B imaginations; all 0 or more.

    Attributes:
        values: (B,) root mean square difference of V over the frames of the repetitions, in units of value.
        frames: (B,) that of their intensities, of 1.
        reconstruction: (B,) that of the codec's picture of the present frame from the frame itself, of 1.
        distance: (B,) root mean square of the context's latents in standard deviations of the training data.
    """

    values: Tensor
    frames: Tensor
    reconstruction: Tensor
    distance: Tensor

    @property
    def trust(self) -> Tensor:
        """(B,) in (0, 1]: 1 where all repetitions agree on V, 1/e where they differ by SCALE."""
        return torch.exp(-self.values / SCALE)

    @classmethod
    def cat(cls, parts: Iterable[Doubt]) -> Doubt:
        """Of consecutive portions of a batch."""
        several = list(parts)
        names = ("values", "frames", "reconstruction", "distance")
        return cls(**{name: torch.cat([getattr(part, name) for part in several]) for name in names})


def other_seeds(seeds: Iterable[int], repeat: int) -> list[int]:
    """Seeds of repetition 1, 2, ...; like the seeds themselves, apart from the rest of the batch."""
    return [(seed + repeat * _NEXT) % 2**62 for seed in seeds]


def spread(ours: Tensor, others: list[Tensor]) -> Tensor:
    """(B,) root mean square difference of `others`, each (B, ...), from `ours`."""
    apart = [(other.float() - ours.float()).flatten(1).pow(2).mean(1) for other in others]
    return torch.stack(apart).mean(0).sqrt()


def codec_doubt(dynamics: MultiViewDynamics, context: Tensor) -> tuple[Tensor, Tensor]:
    """`reconstruction` and `distance` of context frames (B, C, V, H, W, 3) uint8."""
    present = context[:, -1:].to(dynamics.device)
    latents = dynamics.encode_future(present.expand(-1, dynamics.config.future_frames, -1, -1, -1, -1))
    shown = dynamics.codec.decode(to_grid(latents, dynamics.config.grid))  # PCA
    return spread(present, [shown[:, :1]]).cpu() / 255.0, latents.float().flatten(1).pow(2).mean(1).sqrt().cpu()
