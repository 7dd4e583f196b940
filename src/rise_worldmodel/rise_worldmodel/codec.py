"""Patch PCA codec: groups of frames to a grid of latents and back, closed form, one matrix product each way."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from rise_worldmodel.config import CodecConfig
from rise_worldmodel.errors import ShapeError


class PatchPcaCodec(nn.Module):
    """Principal components of (frames_per_group, patch, patch, 3) blocks, in units of [0, 1] intensities.

    With a `reference` frame the codec works on the difference to it: what stands still is then exact, and the
    components are spent on what moves. `fit` once on training clips; the components live in the state dict.
    """

    basis: Tensor
    mean: Tensor
    scale: Tensor
    content_basis: Tensor
    content_mean: Tensor
    content_scale: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        block = config.patch * config.patch * 3
        self._register("", config.frames_per_group * block, config.channels)
        self._register("content_", block, config.content_channels)

    def _register(self, prefix: str, size: int, channels: int) -> None:
        self.register_buffer(f"{prefix}basis", torch.eye(size, channels))
        self.register_buffer(f"{prefix}mean", torch.zeros(size))
        self.register_buffer(f"{prefix}scale", torch.ones(channels))

    @torch.no_grad()
    def fit(self, frames: Tensor, reference: Tensor | None = None, *, max_patches: int = 16384, seed: int = 0) -> None:
        """Principal components of (a random part of) the blocks of `frames`.

        Args:
            frames: (N, F, V, H, W, 3) uint8.
            reference: (N, V, H, W, 3) uint8, subtracted from every frame of its clip; also the frames from which the
                content components are fitted (the last frames of the clips where absent).
            max_patches: blocks used.
        """
        generator = torch.Generator().manual_seed(seed)
        per_clip = self._blocks(frames[:1], None).shape[1:-1].numel()
        clips = torch.randperm(len(frames), generator=generator)[: max(1, -(-max_patches // per_clip))]
        chosen = None if reference is None else reference[clips]
        blocks = self._blocks(frames[clips], chosen).flatten(0, -2) / 255.0
        self._assign("", *_components(blocks, self.config.channels, self.config.whitening, generator))
        if self.config.content_channels:
            stills = (frames[:, -1] if reference is None else reference)[_some(len(frames), 2048, generator)]
            blocks = self._content_blocks(stills).flatten(0, -2) / 255.0
            blocks = blocks[_some(len(blocks), max_patches, generator)]
            self._assign(
                "content_", *_components(blocks, self.config.content_channels, self.config.whitening, generator)
            )

    def _assign(self, prefix: str, basis: Tensor, mean: Tensor, scale: Tensor) -> None:
        for name, value in (("basis", basis), ("mean", mean), ("scale", scale)):
            getattr(self, prefix + name).copy_(value)

    def encode(self, frames: Tensor, reference: Tensor | None = None) -> Tensor:
        """(B, F, V, H, W, 3) uint8, reference (B, V, H, W, 3) uint8 -> (B, G, V, h, w, channels)."""
        return torch.cat([self._project(self._blocks(*clip)) for clip in _portions(frames, reference)])

    def decode(self, latents: Tensor, reference: Tensor | None = None) -> Tensor:
        """(B, G, V, h, w, channels) -> (B, F, V, H, W, 3) uint8."""
        n, p = self.config.frames_per_group, self.config.patch
        weight = (255.0 * self.basis * self.scale).T
        bias = 255.0 * self.mean
        videos = []
        for part, still in _portions(latents, reference):
            _, groups, views, rows, columns, _ = part.shape
            blocks = torch.addmm(bias.to(part.dtype), part.flatten(0, -2), weight.to(part.dtype)).float()
            blocks = blocks.view(-1, groups, views, rows, columns, n, p * p * 3)
            if still is not None:
                blocks += self._content_blocks(still)[:, None, :, :, :, None]
            pixels = blocks.round_().clamp_(0.0, 255.0).to(torch.uint8)
            pixels = pixels.view(-1, groups, views, rows, columns, n, p, p, 3).permute(0, 1, 5, 2, 3, 6, 4, 7, 8)
            videos.append(pixels.reshape(-1, groups * n, views, rows * p, columns * p, 3))
        return torch.cat(videos)

    def encode_content(self, frame: Tensor) -> Tensor:
        """(B, V, H, W, 3) uint8 -> (B, V, h, w, content_channels): what the patches of one frame show."""
        blocks = self._content_blocks(frame)
        flat = (blocks.flatten(0, -2) / 255.0 - self.content_mean) @ (self.content_basis / self.content_scale)
        return flat.view(*blocks.shape[:-1], -1)

    def _project(self, blocks: Tensor) -> Tensor:
        weight = self.basis / self.scale
        flat = torch.addmm(-self.mean @ weight, blocks.flatten(0, -2), weight / 255.0)
        return flat.view(*blocks.shape[:-1], -1)

    @property
    def pixel_weight(self) -> Tensor:
        """(channels,) such that the weighted sum of squared latent errors is a squared error of intensities."""
        return self.scale**2

    def _blocks(self, frames: Tensor, reference: Tensor | None) -> Tensor:
        """(B, F, V, H, W, 3) uint8 -> (B, G, V, h, w, P) float32 in intensities of 0..255, less the reference."""
        if frames.dim() != 6 or frames.shape[1] % self.config.frames_per_group or frames.dtype != torch.uint8:
            raise ShapeError(
                f"frames must be (B, F, V, H, W, 3) uint8 with F a multiple of {self.config.frames_per_group}, "
                f"got {tuple(frames.shape)} {frames.dtype}"
            )
        batch, count, views, height, width, _ = frames.shape
        n, p = self.config.frames_per_group, self.config.patch
        video = frames.reshape(batch, count // n, n, views, height // p, p, width // p, p, 3)
        blocks = video.permute(0, 1, 3, 4, 6, 2, 5, 7, 8).float()
        blocks = blocks.reshape(batch, count // n, views, height // p, width // p, n, p * p * 3)
        if reference is not None:
            blocks -= self._content_blocks(reference)[:, None, :, :, :, None]
        return blocks.flatten(-2)

    def _content_blocks(self, frame: Tensor) -> Tensor:
        """(B, V, H, W, 3) uint8 -> (B, V, h, w, p*p*3) float32 in intensities of 0..255."""
        batch, views, height, width, _ = frame.shape
        p = self.config.patch
        blocks = frame.reshape(batch, views, height // p, p, width // p, p, 3).permute(0, 1, 2, 4, 3, 5, 6).float()
        return blocks.reshape(batch, views, height // p, width // p, p * p * 3)


def _portions(clips: Tensor, reference: Tensor | None, size: int = 4) -> Iterator[tuple[Tensor, Tensor | None]]:
    """A few clips at a time: intermediate blocks stay near the cache, three times faster than a batch at once."""
    for start in range(0, len(clips), size):
        yield clips[start : start + size], None if reference is None else reference[start : start + size]


def _some(count: int, most: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator)[:most]


def _components(
    blocks: Tensor, channels: int, whitening: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Basis (P, channels), mean (P,), scale (channels,) by subspace iteration on the blocks (N, P)."""
    mean = blocks.mean(0)
    centred = blocks - mean
    width = min(channels + 32, *centred.shape)
    if width < channels:
        raise ShapeError(f"{len(blocks)} blocks of {blocks.shape[1]} numbers cannot give {channels} components")
    directions = torch.randn(centred.shape[1], width, generator=generator)
    for _ in range(6):
        directions = torch.linalg.qr(centred.T @ (centred @ directions)).Q
    _, variances, rotation = torch.linalg.svd(centred @ directions, full_matrices=False)
    basis = (directions @ rotation.T)[:, :channels]
    deviation = (variances[:channels] / len(blocks) ** 0.5).clamp_min(1e-4)
    return basis, mean, deviation**whitening * deviation.pow(2).mean().sqrt() ** (1.0 - whitening)
