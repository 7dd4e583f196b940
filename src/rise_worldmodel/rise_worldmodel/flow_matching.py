"""Flow matching on straight paths x_s = (1 - s) x + s noise: s = 0 is data, s = 1 is noise, velocity = noise - x."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]
"""(x_s, s) -> dx/ds; s is a 0-d tensor."""


def sample_noise_levels(
    batch: int, *, mean: float, std: float, pure_noise_share: float = 0.0, generator: torch.Generator | None = None
) -> Tensor:
    """Noise levels s (batch,) in (0, 1] with logit(s) ~ N(mean, std^2) (Sec. XI-B), a share of them exactly 1.

    A positive mean favours NOISY samples: s grows towards noise here.
    """
    levels = torch.sigmoid(mean + std * torch.randn(batch, generator=generator))
    pure = torch.rand(batch, generator=generator) < pure_noise_share
    return torch.where(pure, torch.ones_like(levels), levels)


def interpolate(clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """x_s for levels (B,) and clean, noise of one shape (B, ...)."""
    level = level.view(-1, *[1] * (clean.dim() - 1))
    return clean + level * (noise - clean)


def velocity_from_clean(noisy: Tensor, clean: Tensor, level: Tensor) -> Tensor:
    """dx/ds = (x_s - x) / s, for a level that is a 0-d tensor above 0."""
    return (noisy - clean) / level


def euler_levels(steps: int) -> Tensor:
    """(steps + 1,) noise levels from exactly 1 to exactly 0: explicit, so that no step does nothing."""
    return torch.linspace(1.0, 0.0, steps + 1)


def euler(velocity: Velocity, noise: Tensor, levels: Tensor) -> Tensor:
    """Integrate dx/ds from `levels[0]` down to `levels[-1]`, starting at noise.

    Args:
        velocity: the field.
        noise: x at `levels[0]`.
        levels: (steps + 1,) strictly decreasing.
    """
    sample = noise
    for level, following in itertools.pairwise(levels):
        sample = sample + (following - level) * velocity(sample, level)
    return sample


def seeded_noise(shape: tuple[int, ...], seeds: Tensor | list[int]) -> Tensor:
    """(len(seeds), *shape) normal noise where row i depends on seeds[i] alone, whatever the batch."""
    rows = [torch.randn(shape, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    return torch.stack(rows)
