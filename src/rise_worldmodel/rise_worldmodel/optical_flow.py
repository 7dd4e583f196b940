"""End-point error of optical flow: does what moves in an imagined video move as it really did (EPE, Table V)."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


def optical_flow(videos: Tensor) -> Tensor:
    """Dense inverse search flow (Kroeger et al., 2016) between consecutive frames.

    Args:
        videos: (B, T, V, H, W, 3) uint8 RGB.

    Returns:
        (B, T - 1, V, H, W, 2) float32, pixels per frame, x and y.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    batch, count, views, height, width, _ = videos.shape
    flows = np.zeros((batch, count - 1, views, height, width, 2), np.float32)
    for sample, view in np.ndindex(batch, views):
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in videos[sample, :, view].cpu().numpy()]
        for frame in range(count - 1):
            if not np.array_equal(grey[frame], grey[frame + 1]):
                flows[sample, frame, view] = search.calc(grey[frame], grey[frame + 1], None)
    return torch.from_numpy(flows)


def endpoint_error(predicted: Tensor, real: Tensor) -> Tensor:
    """(...,) length of the difference of flows (..., 2), pixels."""
    return (predicted - real).norm(dim=-1)
