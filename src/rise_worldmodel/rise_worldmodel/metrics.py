"""How close imagined frames are to what really happened: PSNR, PSNR on what moves, SSIM."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MOVES = 0.05
"""Intensity change (of 1) against the last context frame from which a pixel counts as moving."""


def moving_mask(future: Tensor, last: Tensor) -> Tensor:
    """(B, F, V, H, W) bool: pixels whose real value differs from the last context frame (B, V, H, W, 3) uint8."""
    difference = (future.int() - last[:, None].int()).abs().amax(-1)
    return difference > MOVES * 255.0


def decibels(mse: float) -> float:
    """Peak signal-to-noise ratio of a mean squared error of intensities in [0, 1]; NaN stays NaN."""
    return mse if math.isnan(mse) else -10.0 * math.log10(max(mse, 1e-10))


def psnr(predicted: Tensor, real: Tensor, mask: Tensor | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all samples together; `mask` (...,) selects pixels of (..., 3) uint8."""
    error = ((predicted.float() - real.float()) / 255.0) ** 2
    return decibels(float(error.mean() if mask is None else error[mask].mean()))


def ssim_sum(predicted: Tensor, real: Tensor) -> tuple[float, int]:
    """Sum of the structural similarities of all images (..., H, W, 3) uint8, and their number. Needs torchmetrics."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    images = [video.flatten(0, -4).permute(0, 3, 1, 2).float() / 255.0 for video in (predicted, real)]
    with torch.autocast("cpu", enabled=False):  # its variances are differences of squares: bfloat16 gives nonsense
        each = structural_similarity_index_measure(*images, data_range=1.0, reduction="none")
    return float(each.sum()), len(images[0])


def ssim(predicted: Tensor, real: Tensor) -> float:
    """Structural similarity, mean over all images of (..., H, W, 3) uint8."""
    total, count = ssim_sum(predicted, real)
    return total / count
