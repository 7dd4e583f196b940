"""Patch PCA codec: groups of frames to a grid of latents and back, closed form, one matrix product each way."""

from __future__ import annotations

import torch
from torch import Tensor

from rise_worldmodel.config import CodecConfig
from rise_worldmodel.errors import ShapeError
from rise_worldmodel.latent_codec import Context, LatentCodec, to_grid, to_tokens

PORTION = 4
"""Clips worked on at a time: intermediate blocks stay near the cache, three times faster than a batch at once."""

STILL = 5
"""Change of a decoded intensity (of 255) against the reference up to which the reference's own value is kept."""
AS_DRAWN = 40
"""Difference of a decoded pixel to the coded drawing up to which it shows what was drawn, in all its detail."""


class PatchPcaCodec(LatentCodec):
    """Principal components of (frames_per_group, patch, patch, 3) blocks, in units of [0, 1] intensities.

    `fit` once on training clips; the components live in the state dict. Decoding beside a `reference` frame (the last
    one that was seen) returns the reference's own pixels where nothing changed, free of the codec's error.
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
    def fit(self, frames: Tensor, *, max_patches: int = 16384, seed: int = 0) -> None:
        """Principal components of (a random part of) the blocks of `frames` (N, F, V, H, W, 3) uint8."""
        generator = torch.Generator().manual_seed(seed)
        per_clip = self._blocks(frames[:1]).shape[1:-1].numel()
        clips = _some(len(frames), -(-max_patches // per_clip), generator)
        blocks = self._blocks(frames[clips]).flatten(0, -2) / 255.0
        self._assign("", *_components(blocks, self.config.channels, self.config.whitening, generator))
        if self.config.content_channels:
            stills = frames[_some(len(frames), 2048, generator), -1]
            blocks = self._still_blocks(stills).flatten(0, -2) / 255.0
            blocks = blocks[_some(len(blocks), max_patches, generator)]
            parts = _components(blocks, self.config.content_channels, self.config.whitening, generator)
            self._assign("content_", *parts)

    def _assign(self, prefix: str, basis: Tensor, mean: Tensor, scale: Tensor) -> None:
        for name, value in (("basis", basis), ("mean", mean), ("scale", scale)):
            getattr(self, prefix + name).copy_(value)

    def future(self, frames: Tensor) -> Tensor:
        return to_tokens(self.encode(frames))

    def context(self, frames: Tensor) -> Context:
        """The last frame is repeated to fill its group; `motion` is what differs from standing still."""
        last, n = frames[:, -1], self.config.frames_per_group
        padded = torch.cat([frames, last[:, None].expand(-1, -frames.shape[1] % n, -1, -1, -1, -1)], dim=1)
        still = to_tokens(self.encode_still(last)[:, None])
        motion = to_tokens(self.encode(padded)) - still
        return Context(motion, self.content(last), still)

    def content(self, frame: Tensor) -> Tensor:
        return to_tokens(self.encode_content(frame)[:, None])

    def frames(self, latents: Tensor, grid: tuple[int, int], last: Tensor, drawn: Tensor | None = None) -> Tensor:
        return self.decode(to_grid(latents, grid), last, drawn)

    def squared_error(self, difference: Tensor, where: Tensor) -> Tensor:
        pixels = difference @ (self.basis * self.scale).T.to(difference.dtype)
        mask = where.to(torch.uint8)[..., None].expand(*where.shape, 3)
        return (pixels.square() * to_tokens(self._blocks(mask)).to(pixels.dtype)).sum(-1)

    def encode(self, frames: Tensor) -> Tensor:
        """(B, F, V, H, W, 3) uint8 -> (B, G, V, h, w, channels)."""
        weight = self.basis / self.scale
        parts = [self._product(self._blocks(clips), weight, self.mean) for clips in frames.split(PORTION)]
        return torch.cat(parts)

    def encode_still(self, frame: Tensor) -> Tensor:
        """(B, V, H, W, 3) uint8 -> (B, V, h, w, channels): latents of a group in which this frame stands still."""
        n = self.config.frames_per_group
        weight = (self.basis / self.scale).unflatten(0, (n, -1)).sum(0)
        return self._product(self._still_blocks(frame), weight, None) - self.mean @ (self.basis / self.scale)

    def encode_content(self, frame: Tensor) -> Tensor:
        """(B, V, H, W, 3) uint8 -> (B, V, h, w, content_channels): what the patches of one frame show."""
        return self._product(self._still_blocks(frame), self.content_basis / self.content_scale, self.content_mean)

    def decode(self, latents: Tensor, reference: Tensor | None = None, drawn: Tensor | None = None) -> Tensor:
        """(B, G, V, h, w, channels) -> (B, F, V, H, W, 3) uint8.

        Args:
            reference: (B, V, H, W, 3) uint8, the last frame that was seen: its pixels replace those that stand still.
            drawn: (B, F, V, H, W, 3) uint8, a drawing of every frame: where latents say what it shows, it says it in
                the detail that latents do not carry.
        """
        portions = latents.split(PORTION)
        references, drawings = (
            [None] * len(portions) if given is None else given.split(PORTION) for given in (reference, drawn)
        )
        return torch.cat([self._decode(*each) for each in zip(portions, references, drawings, strict=True)])

    def _decode(self, latents: Tensor, reference: Tensor | None, drawn: Tensor | None) -> Tensor:
        decoded = self._inverse(latents)
        pixels = decoded if drawn is None else self._detailed(decoded.float(), drawn).to(torch.uint8)
        if reference is not None:
            shown = self._still_blocks(reference).to(torch.uint8)[:, None, :, :, :, None]
            coded = self._inverse(self.encode_still(reference)[:, None].to(latents.dtype))
            change = torch.maximum(decoded, coded) - torch.minimum(decoded, coded)
            pixels = torch.where(change <= STILL, shown, pixels)
        return self._assembled(pixels)

    def differentiable_frames(
        self, latents: Tensor, grid: tuple[int, int], last: Tensor, drawn: Tensor | None = None
    ) -> Tensor:
        cells = to_grid(latents, grid)
        decoded = self._intensities(cells).clamp(0.0, 255.0)
        pixels = decoded if drawn is None else self._detailed(decoded, drawn)
        shown = self._still_blocks(last)[:, None, :, :, :, None].to(pixels.dtype)
        coded = self._inverse(self.encode_still(last)[:, None].to(cells.dtype)).to(pixels.dtype)
        return self._assembled(torch.where((decoded.round() - coded).abs() <= STILL, shown, pixels))

    def _detailed(self, decoded: Tensor, drawn: Tensor) -> Tensor:
        """Blocks (B, G, V, h, w, n, p*p*3) of 0..255 with the detail of the drawing where they show the same."""
        codes = self.encode(drawn)
        shown = self._blocks(drawn).view(decoded.shape).to(decoded.dtype)
        coded = self._inverse(codes.to(decoded.dtype)).to(decoded.dtype)
        apart = (decoded - coded).abs().unflatten(-1, (-1, 3)).amax(-1, keepdim=True)
        same = (apart <= AS_DRAWN).expand(*apart.shape[:-1], 3).flatten(-2)
        return torch.where(same, decoded + shown - coded, decoded).clamp(0.0, 255.0)

    def _assembled(self, pixels: Tensor) -> Tensor:
        """Blocks (B, G, V, h, w, n, p*p*3) -> frames (B, F, V, H, W, 3)."""
        batch, groups, views, rows, columns, n, _ = pixels.shape
        p = self.config.patch
        pixels = pixels.view(batch, groups, views, rows, columns, n, p, p, 3).permute(0, 1, 5, 2, 3, 6, 4, 7, 8)
        return pixels.reshape(batch, groups * n, views, rows * p, columns * p, 3)

    def _inverse(self, latents: Tensor) -> Tensor:
        """(..., channels) -> (..., n, p*p*3) uint8."""
        return self._intensities(latents).round_().clamp_(0.0, 255.0).to(torch.uint8)

    def _intensities(self, latents: Tensor) -> Tensor:
        """(..., channels) -> (..., n, p*p*3) of 0..255, and beyond."""
        weight = (255.0 * self.basis * self.scale).T
        flat = torch.addmm((255.0 * self.mean).to(latents.dtype), latents.flatten(0, -2), weight.to(latents.dtype))
        return flat.view(*latents.shape[:-1], self.config.frames_per_group, -1)

    @staticmethod
    def _product(blocks: Tensor, weight: Tensor, mean: Tensor | None) -> Tensor:
        flat = blocks.flatten(0, -2)
        weight_255 = weight / 255.0
        codes = flat @ weight_255 if mean is None else torch.addmm(-mean @ weight, flat, weight_255)
        return codes.view(*blocks.shape[:-1], -1)

    @property
    def pixel_weight(self) -> Tensor:
        """(channels,) such that the weighted sum of squared latent errors is a squared error of intensities."""
        return self.scale**2

    @property
    def numbers_per_latent(self) -> int:
        """Intensities of a block."""
        return self.basis.shape[0]

    def _blocks(self, frames: Tensor) -> Tensor:
        """(B, F, V, H, W, 3) uint8 -> (B, G, V, h, w, P) float32 in intensities of 0..255."""
        if frames.dim() != 6 or frames.shape[1] % self.config.frames_per_group or frames.dtype != torch.uint8:
            raise ShapeError(
                f"frames must be (B, F, V, H, W, 3) uint8 with F a multiple of {self.config.frames_per_group}, "
                f"got {tuple(frames.shape)} {frames.dtype}"
            )
        batch, count, views, height, width, _ = frames.shape
        n, p = self.config.frames_per_group, self.config.patch
        video = frames.reshape(batch, count // n, n, views, height // p, p, width // p, p, 3)
        return video.permute(0, 1, 3, 4, 6, 2, 5, 7, 8).float().flatten(5)

    def _still_blocks(self, frame: Tensor) -> Tensor:
        """(B, V, H, W, 3) uint8 -> (B, V, h, w, p*p*3) float32 in intensities of 0..255."""
        batch, views, height, width, _ = frame.shape
        p = self.config.patch
        blocks = frame.reshape(batch, views, height // p, p, width // p, p, 3).permute(0, 1, 2, 4, 3, 5, 6)
        return blocks.float().flatten(4)


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
