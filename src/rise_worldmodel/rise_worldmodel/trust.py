"""How far an imagination may be trusted: does V jump in it, does the codec know the scene, do repetitions agree?

Measured against the error of the imagined advantage (docs/decisions/0004): jumps of V foresee it, an unknown scene
somewhat, disagreement of repetitions not at all. So trust is made of the first, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from rise_worldmodel.codec import PatchPcaCodec
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.latent_codec import to_grid

SCALE = 0.5
"""Jump of V from one imagined frame to the next at which trust has fallen to 1/e, in units of value."""
_NEXT = 0x9E3779B97F4A7C15
"""Step between the seeds of one imagination's repetitions (the golden ratio of 2^64)."""


@dataclass(frozen=True)
class TrustConfig:
    """What is asked of every imagination.

    Attributes:
        repeats: imaginations of every chunk beside the one that is returned, each of its own noise, to be compared.
        steps: their Euler steps; 0: those of the one that is returned.
    """

    repeats: int = 0
    steps: int = 4


@dataclass(frozen=True)
class Doubt:
    """What speaks against B imaginations; all 0 or more.

    Attributes:
        jump: (B,) largest change of V from one frame to the next, the present one included, in units of value.
        reconstruction: (B,) root mean square error of the codec's picture of the present frame, intensities in [0, 1].
        values: (B,) root mean square difference of V in the repetitions, in units of value; NaN without repetitions.
        frames: (B,) that of their intensities.
    """

    jump: Tensor
    reconstruction: Tensor
    values: Tensor
    frames: Tensor

    @property
    def trust(self) -> Tensor:
        """(B,) in (0, 1]: 1 where V does not change, 1/e where it jumps by SCALE."""
        return torch.exp(-self.jump / SCALE)

    @classmethod
    def cat(cls, parts: Iterable[Doubt]) -> Doubt:
        """Of consecutive portions of a batch."""
        several = list(parts)
        return cls(*(torch.cat([getattr(part, field.name) for part in several]) for field in fields(cls)))


def other_seeds(seeds: Iterable[int], repeat: int) -> list[int]:
    """Seeds of repetition 1, 2, ...; like the seeds themselves, apart from the rest of the batch."""
    return [(seed + repeat * _NEXT) % 2**62 for seed in seeds]


def spread(ours: Tensor, others: list[Tensor]) -> Tensor:
    """(B,) root mean square difference of `others`, each (B, ...), from `ours`; NaN where there are none."""
    if not others:
        return torch.full((len(ours),), float("nan"))
    apart = [(other.float() - ours.float()).flatten(1).pow(2).mean(1) for other in others]
    return torch.stack(apart).mean(0).sqrt()


def largest_jump(values: Tensor, now: Tensor) -> Tensor:
    """(B,) of V over the frames (B, F) and the one before them (B,)."""
    return torch.cat([now[:, None], values], dim=1).diff(dim=1).abs().amax(1)


def reconstruction_error(dynamics: MultiViewDynamics, present: Tensor) -> Tensor:
    """(B,) root mean square error of the codec on frames (B, V, H, W, 3) uint8, no pixel of which it may keep."""
    still = present[:, None].to(dynamics.device).expand(-1, dynamics.config.future_frames, -1, -1, -1, -1)
    latents, codec, grid = dynamics.encode_future(still), dynamics.codec, dynamics.config.grid
    if isinstance(codec, PatchPcaCodec):
        shown = codec.decode(to_grid(latents, grid))
    else:
        shown = codec.frames(latents, grid, still[:, 0])
    return spread(still[:, 0], [shown[:, 0]]).cpu() / 255.0
