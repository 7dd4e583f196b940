"""Frechet video distance (Unterthiner et al., 2019) on the published I3D, a TorchScript file in a local directory.

The file is `i3d_torchscript.pt` of StyleGAN-V, a conversion of the original I3D (Kinetics-400). Without it there
is no FVD. FVD grows as samples get fewer, so only figures of equal `videos` compare.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from rise_worldmodel.errors import CheckpointError, ShapeError
from rise_worldmodel.local_weights import weight_file

SIZE = 224
FEATURES = 400
MIN_FRAMES = 10
"""Shorter videos leave nothing to I3D's pooling over time."""


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the normal distributions fitted to features (N, D) and (M, D).

    Raises:
        ShapeError: fewer than two samples have no covariance.
    """
    if min(len(first), len(second)) < 2:
        raise ShapeError(f"a Frechet distance needs two samples a side, got {len(first)} and {len(second)}")
    first, second = first.double(), second.double()
    apart = (first.mean(0) - second.mean(0)).pow(2).sum()
    one, other = torch.cov(first.T), torch.cov(second.T)
    values, vectors = torch.linalg.eigh(one)
    root = vectors * values.clamp_min(0.0).sqrt() @ vectors.T
    mixed = torch.linalg.eigvalsh(root @ other @ root).clamp_min(0.0).sqrt().sum()
    return float(apart + one.trace() + other.trace() - 2.0 * mixed)


class I3dFeatures:
    """Videos to the 400 numbers that FVD compares.

    Raises:
        CheckpointError: the directory has no such file, or another network lies in it.
    """

    def __init__(self, directory: Path) -> None:
        path = weight_file(directory, "i3d_torchscript.pt", "the I3D of FVD (i3d_torchscript.pt of StyleGAN-V)")
        try:
            self._network = torch.jit.load(str(path), map_location="cpu").eval()
        except RuntimeError as error:
            raise CheckpointError(f"cannot read {path}: {error}") from error
        self._path = path

    @torch.no_grad()
    def __call__(self, videos: Tensor) -> Tensor:
        """(N, T, H, W, 3) uint8 RGB -> (N, FEATURES) float32."""
        if videos.shape[1] < MIN_FRAMES:
            raise ShapeError(f"I3D needs videos of {MIN_FRAMES} frames, got {tuple(videos.shape)}")
        frames = videos.flatten(0, 1).permute(0, 3, 1, 2).float()
        frames = F.interpolate(frames, (SIZE, SIZE), mode="bilinear", align_corners=False) / 127.5 - 1.0
        clips = frames.unflatten(0, videos.shape[:2]).transpose(1, 2)  # (N, 3, T, SIZE, SIZE)
        try:
            found = self._network(clips, rescale=False, resize=False, return_features=True)
        except RuntimeError as error:
            raise CheckpointError(f"{self._path} is not the I3D of StyleGAN-V: {error}") from error
        if found.shape != (len(videos), FEATURES):
            raise CheckpointError(f"{self._path} answers {tuple(found.shape)}, expected {(len(videos), FEATURES)}")
        return found.float()
