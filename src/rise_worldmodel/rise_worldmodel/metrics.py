"""How close imagined frames are to what really happened: PSNR, PSNR on what moves, SSIM, the effect of actions."""

from __future__ import annotations

import torch
from torch import Tensor

from rise_worldmodel.dynamics import MultiViewDynamics

MOVES = 0.05
"""Intensity change (of 1) against the last context frame from which a pixel counts as moving."""


def moving_mask(future: Tensor, last: Tensor) -> Tensor:
    """(B, F, V, H, W) bool: pixels whose real value differs from the last context frame (B, V, H, W, 3) uint8."""
    difference = (future.int() - last[:, None].int()).abs().amax(-1)
    return difference > MOVES * 255.0


def psnr(predicted: Tensor, real: Tensor, mask: Tensor | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all samples together; `mask` (...,) selects pixels of (..., 3) uint8."""
    error = ((predicted.float() - real.float()) / 255.0) ** 2
    mse = error.mean() if mask is None else error[mask].mean()
    return float(-10.0 * torch.log10(mse.clamp_min(1e-10)))


def ssim(predicted: Tensor, real: Tensor) -> float:
    """Structural similarity, mean over all images of (..., H, W, 3) uint8. Needs torchmetrics."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    images = [video.flatten(0, -4).permute(0, 3, 1, 2).float() / 255.0 for video in (predicted, real)]
    with torch.autocast("cpu", enabled=False):  # its variances are differences of squares: bfloat16 gives nonsense
        return float(structural_similarity_index_measure(*images, data_range=1.0))


@torch.inference_mode()
def dynamics_report(
    model: MultiViewDynamics,
    context: Tensor,
    future: Tensor,
    actions: Tensor,
    state: Tensor | None,
    *,
    maps: Tensor | None = None,
    steps: int = 1,
    seed: int = 0,
    micro_batch: int = 8,
) -> dict[str, float]:
    """PSNR of imagination beside its bounds: copying the last frame, the codec's ceiling, another sample's actions.

    Args:
        context, future, actions, state, maps: held-out clips, shapes as in `MultiViewDynamics.loss`.

    Returns:
        `psnr`, `psnr_copy_last`, `psnr_shuffled_actions`, `codec_psnr`; the same with suffix `_moving` on what moves;
        `ssim`. Shuffled: actions (with their state and maps) of the next sample.
    """
    generator = torch.Generator().manual_seed(seed)
    last = context[:, -1]
    mask = moving_mask(future, last)
    rolled = torch.arange(len(context)).roll(1)

    def imagine(order: Tensor) -> Tensor:
        parts = []
        for rows in torch.arange(len(context)).split(micro_batch):
            given, drawn = (None if part is None else part[order[rows]] for part in (state, maps))
            parts.append(
                model.sample(context[rows], actions[order[rows]], given, steps=steps, maps=drawn, generator=generator)
            )
        return torch.cat(parts)

    imagined = imagine(torch.arange(len(context)))
    codec = torch.cat(
        [model.decode_future(c, model.encode_future(f)) for c, f in zip(context.split(8), future.split(8), strict=True)]
    )
    candidates = {
        "psnr": imagined,
        "psnr_copy_last": last[:, None].expand_as(future),
        "psnr_shuffled_actions": imagine(rolled),
        "codec_psnr": codec,
    }
    report = {}
    for name, video in candidates.items():
        report[name] = psnr(video, future)
        report[f"{name}_moving"] = psnr(video, future, mask)
    report["ssim"] = ssim(imagined, future)
    return report
