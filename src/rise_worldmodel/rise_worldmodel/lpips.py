"""LPIPS (Zhang et al., 2018), version 0.1 on AlexNet, with its published weights from a local directory.

The directory holds the two files as they are published: torchvision's `alexnet-*.pth` (IMAGENET1K_V1) and `alex.pth`,
the linear heads of the package `lpips`. Without them there is no LPIPS: a random backbone measures something else.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rise_worldmodel.local_weights import read_tensors, weight_file
from rise_worldmodel.pretrained import KeyReport, compare_keys

CHANNELS = (64, 192, 384, 256, 256)
"""Of the five feature maps that are compared."""
CONVOLUTIONS = (0, 3, 6, 8, 10)
"""Their numbers in torchvision's `features`."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of images in [-1, 1]."""
EPSILON = 1e-10


class Lpips(nn.Module):
    """Weights are not trained here: make one with `load_lpips`."""

    def __init__(self) -> None:
        super().__init__()
        shapes = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
        self.features = nn.ModuleDict(
            {
                str(number): nn.Conv2d(inside, outside, size, stride, padding)
                for number, (inside, outside, size, stride, padding) in zip(CONVOLUTIONS, shapes, strict=True)
            }
        )
        self.heads = nn.ParameterList(nn.Parameter(torch.empty(1, channels, 1, 1)) for channels in CHANNELS)

    def forward(self, predicted: Tensor, real: Tensor) -> Tensor:
        """(N,) distances of images (N, H, W, 3) uint8 RGB, 0 for equal ones."""
        distance = torch.zeros(len(real), device=self.heads[0].device)
        for head, one, other in zip(self.heads, self._maps(predicted), self._maps(real), strict=True):
            distance = distance + F.conv2d((one - other) ** 2, head).mean((1, 2, 3))
        return distance

    def _maps(self, images: Tensor) -> list[Tensor]:
        """The five feature maps (N, channels, h, w), of unit length along the channels."""
        device = self.heads[0].device
        x = images.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        x = (x - torch.tensor(SHIFT, device=device).view(3, 1, 1)) / torch.tensor(SCALE, device=device).view(3, 1, 1)
        maps = []
        for place, number in enumerate(CONVOLUTIONS):
            x = F.relu(self.features[str(number)](x))
            maps.append(x / (x.pow(2).sum(1, keepdim=True).sqrt() + EPSILON))
            if place < 2:
                x = F.max_pool2d(x, 3, stride=2)
        return maps


def load_lpips(directory: Path) -> Lpips:
    """LPIPS of the published files. Raises CheckpointError naming the file or every key that is not as published."""
    alexnet = weight_file(directory, "alexnet*.pth", "torchvision's AlexNet (alexnet-owt-7be5be79.pth)")
    heads = weight_file(directory, "alex.pth", "the linear heads of LPIPS 0.1 on AlexNet (alex.pth of package lpips)")
    model = Lpips()
    own = model.state_dict()
    for path, rename in ((alexnet, _of_alexnet), (heads, _of_heads)):
        published = read_tensors(path)
        unused = tuple(name for name in published if rename(name) is None)
        found = {rename(name) or name: tensor for name, tensor in published.items() if name not in unused}
        prefix = "features." if path == alexnet else "heads."
        expected = {name: tuple(tensor.shape) for name, tensor in own.items() if name.startswith(prefix)}
        report: KeyReport = compare_keys(expected, {n: tuple(t.shape) for n, t in found.items()}, unused=unused)
        report.require_fit(str(path))
        for name, tensor in found.items():
            own[name].copy_(tensor)
    return model.eval().requires_grad_(False)


def _of_alexnet(key: str) -> str | None:
    """Our name of torchvision's key; its classifier is not compared."""
    return None if key.startswith("classifier.") else key


def _of_heads(key: str) -> str | None:
    """`lin0.model.1.weight` -> `heads.0`."""
    first, _, rest = key.partition(".")
    return f"heads.{first.removeprefix('lin')}" if first.startswith("lin") and rest == "model.1.weight" else key
