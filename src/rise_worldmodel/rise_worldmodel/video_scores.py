"""Figures of many imagined videos, summed batch by batch: what they need does not grow with the number of videos."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from rise_worldmodel.fvd import I3dFeatures, frechet_distance
from rise_worldmodel.lpips import Lpips, load_lpips
from rise_worldmodel.metrics import decibels, ssim_sum
from rise_worldmodel.optical_flow import endpoint_error, optical_flow


@dataclass(frozen=True)
class PublishedMetrics:
    """Metrics that need published weights; None leaves one out."""

    lpips: Lpips | None = None
    i3d: I3dFeatures | None = None

    @classmethod
    def load(cls, lpips: Path | None, fvd: Path | None) -> PublishedMetrics:
        """From local directories. Raises CheckpointError naming what is not there."""
        return cls(None if lpips is None else load_lpips(lpips), None if fvd is None else I3dFeatures(fvd))


@dataclass(frozen=True)
class Truth:
    """What really happened in B chunks, as every candidate is compared with it.

    Attributes:
        last: (B, V, H, W, 3) uint8, the frame before the first.
        frames: (B, F, V, H, W, 3) uint8.
        mask: (B, F, V, H, W) bool of what moves.
        flow: (B, F, V, H, W, 2) of `optical_flow`, from `last` on; None: not asked for.
        features: (B * V, 400) of I3D; None: not asked for.
    """

    last: Tensor
    frames: Tensor
    mask: Tensor
    flow: Tensor | None
    features: Tensor | None


@dataclass
class VideoScores:
    """PSNR, SSIM and, where asked for, EPE, LPIPS and FVD of one kind of video against the truth."""

    published: PublishedMetrics = field(default_factory=PublishedMetrics)
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    features: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    squared: list[Tensor] = field(default_factory=list)

    def add(self, predicted: Tensor, truth: Truth) -> None:
        """Count B more videos (B, F, V, H, W, 3) uint8."""
        error = ((predicted.float() - truth.frames.float()) / 255.0) ** 2
        moving = truth.mask[..., None].expand_as(error)
        parts = (error, torch.ones_like(error), error * moving, moving)
        squared = torch.stack([part.flatten(1).sum(1, dtype=torch.float64) for part in parts], dim=1)
        self.squared.append(squared)
        self._count("mse", squared[:, 0].sum(), int(squared[:, 1].sum()))
        self._count("mse_moving", squared[:, 2].sum(), int(squared[:, 3].sum()))
        self._count("ssim", *ssim_sum(predicted, truth.frames))
        if truth.flow is not None:
            flow = optical_flow(torch.cat([truth.last[:, None], predicted], dim=1))
            apart = endpoint_error(flow, truth.flow)
            self._count("epe", apart.sum(), apart.numel())
            self._count("epe_moving", apart[truth.mask].sum(), int(truth.mask.sum()))
        if self.published.lpips is not None:
            images = predicted.flatten(0, 2), truth.frames.flatten(0, 2)
            self._count("lpips", self.published.lpips(*images).sum(), len(images[0]))
        if self.published.i3d is not None and truth.features is not None:
            self.features.append((self.published.i3d(each_view(predicted)), truth.features))

    def report(self) -> dict[str, float]:
        """`psnr`, `psnr_moving` (dB), `ssim`; `epe`, `epe_moving` (pixels a frame), `lpips`, `fvd` where asked for.

        NaN where nothing was counted, and for the FVD of a single video.
        """
        means = {name: self.sums[name] / self.counts[name] if self.counts[name] else float("nan") for name in self.sums}
        found = {name.replace("mse", "psnr"): decibels(means.pop(name)) for name in ("mse", "mse_moving")} | means
        if self.features:
            ours, true = (torch.cat(column) for column in zip(*self.features, strict=True))
            found["fvd"] = frechet_distance(ours, true) if len(ours) > 1 else float("nan")
        return found

    def psnr_sums(self) -> Tensor:
        """(N, 4) of every chunk: squared error, its count, and both on what moves; what resampling needs."""
        return torch.cat(self.squared)

    def _count(self, name: str, total: Tensor | float, count: int) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + float(total)
        self.counts[name] = self.counts.get(name, 0) + count


def each_view(videos: Tensor) -> Tensor:
    """(B, F, V, H, W, 3) -> (B * V, F, H, W, 3): FVD takes every view as a video of its own."""
    return videos.transpose(1, 2).flatten(0, 1)
