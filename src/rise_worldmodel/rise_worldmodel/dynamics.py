"""The dynamics model D (Eq. 1): context frames and a chunk of actions to the future frames of every view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rise_worldmodel import flow_matching
from rise_worldmodel.action_encoder import ENCODERS
from rise_worldmodel.codec import PatchPcaCodec
from rise_worldmodel.config import CodecConfig, DynamicsConfig, LtxVaeConfig, WanVaeConfig
from rise_worldmodel.cosmos import CosmosBackbone, cosmos_key
from rise_worldmodel.errors import ConfigError, ShapeError
from rise_worldmodel.explained import unexplained
from rise_worldmodel.latent_codec import Context, LatentCodec
from rise_worldmodel.ltx_vae import LtxVaeCodec
from rise_worldmodel.pretrained import KeyReport, load_pretrained
from rise_worldmodel.transformer import MultiViewTransformer
from rise_worldmodel.wan_vae import WanVaeCodec


class MultiViewDynamics(nn.Module):
    """Flow-matching video diffusion over latents (B, V, T, N, C): T groups of frames, N patches of a view.

    Every token knows what its patch showed last (`content`) and how it changed over the context (`motion`); the
    latents of the last frame standing still, and what control maps draw, are added to the network's estimate, in
    learned proportion.
    """

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        self.config = config
        codec = config.codec
        self.codec: LatentCodec = new_codec(codec)
        caption_channels = config.caption_channels or config.dim
        self.actions = ENCODERS[config.condition](config, token_dim=caption_channels)
        self.context_groups = config.context_groups if config.context_tokens else 0
        motion = 0 if config.context_tokens else codec.channels * config.context_groups
        map_channels = (config.maps_per_group + 1) * codec.content_channels if config.control_maps else 0
        self.transformer = new_transformer(
            config, codec.channels + codec.content_channels + motion + map_channels, caption_channels
        )
        if config.checkpointing:
            self.transformer.enable_gradient_checkpointing()
        clean = config.prediction == "clean"
        self.persistence = nn.Parameter(torch.ones(config.views, 1, 1, codec.channels)) if clean else None
        self.drawn = nn.Linear(map_channels, codec.channels, bias=False) if map_channels and clean else None
        if self.drawn is not None:
            nn.init.zeros_(self.drawn.weight)

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(V, G, N, channels) of the future latents of one sample: the shape of its noise."""
        rows, columns = self.config.grid
        return self.config.views, self.config.future_groups, rows * columns, self.config.codec.channels

    @property
    def device(self) -> torch.device:
        return next(self.transformer.parameters()).device

    def load_transformer(self, path: Path) -> KeyReport:
        """Weights of GE-Base or Cosmos; the action encoder is ours. Raises CheckpointError on any misfit."""
        if isinstance(self.transformer, CosmosBackbone):
            return load_pretrained(self.transformer.model, path, cosmos_key)
        return load_pretrained(self.transformer, path, ge_base_key)

    def load_vae(self, path: Path) -> KeyReport:
        """Weights of LTX-Video's or Wan's VAE. Raises CheckpointError on any misfit."""
        assert isinstance(self.codec, LtxVaeCodec)
        return self.codec.load_published(path)

    def fit_codec(self, frames: Tensor) -> None:
        """Fit the codec to clips (N, F, V, H, W, 3) uint8, once, before training."""
        self.codec.fit(frames)

    def encode_future(self, future: Tensor) -> Tensor:
        """Clean latents (B, V, G, N, channels) of future frames (B, F, V, H, W, 3) uint8; may be cached."""
        return self.codec.future(self._here(future))

    def encode_context(self, context: Tensor) -> Context:
        """Conditions from context frames (B, C, V, H, W, 3) uint8."""
        return self.codec.context(context)

    def encode_maps(self, maps: Tensor | None) -> Tensor | None:
        """Control maps (B, M + 1, V, H, W, 3) uint8 -> (B, V, G, N, C): for a group, the one before it and its own."""
        if maps is None:
            return None
        codes = torch.cat([self.codec.content(picture) for picture in maps.unbind(1)], dim=2)  # (B, V, M + 1, N, c)
        each, last = self.config.maps_per_group, codes.shape[2] - 1
        return torch.cat([codes[:, :, first : first + last : each] for first in range(each + 1)], dim=-1)

    def decode_future(self, context: Tensor, latents: Tensor, maps: Tensor | None = None) -> Tensor:
        """Latents (B, V, G, N, channels) -> frames (B, F, V, H, W, 3) uint8, in the detail of maps of every frame."""
        context, latents, maps = (self._here(part) for part in (context, latents, maps))
        return self.codec.frames(latents, self.config.grid, context[:, -1], self._drawings(maps))

    def _drawings(self, maps: Tensor | None) -> Tensor | None:
        """(B, F, V, H, W, 3) uint8 maps of the future frames; None where not every frame has one."""
        every = self.config.maps_per_group == self.config.codec.frames_per_group
        return maps[:, 1:] if maps is not None and every else None

    def loss(
        self,
        context: Tensor,
        future: Tensor,
        actions: Tensor,
        state: Tensor | None = None,
        *,
        maps: Tensor | None = None,
        unexplained_weight: float = 0.0,
        consistency: Callable[[Tensor, Tensor], dict[str, Tensor]] | None = None,
        pure: int = 0,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Flow-matching loss on the future latents of a batch.

        Args:
            context: (B, C, V, H, W, 3) uint8.
            future: (B, F, V, H, W, 3) uint8, or its latents (B, V, G, N, channels) from `encode_future`.
            actions: (B, K, A) float32, normalised; with condition "instruction" the words of `text.instruction_numbers`
                (B, L) instead. state: (B, A) float32, normalised alike, where the config uses it.
            maps: (B, M + 1, V, H, W, 3) uint8 control maps at `config.map_steps`, where the config asks for them.
            unexplained_weight: how much more errors count in pixels that neither the last frame nor maps show; needs
                `future` as frames, a linear codec, and a network that predicts clean latents.
            consistency: a further `loss`, and what else there is to report, of imagined frames (B, F, V, H, W, 3) in
                floating point of 0..255 beside the true ones; needs what `unexplained_weight` needs.
            pure: the first so many samples are all noise, as imagination begins.
            generator: of noise and noise levels.

        Returns:
            `loss` to minimise, and detached `mse`: squared error of intensities in [0, 1] within the codec's reach;
            with `pure` also `imagined`, latents (pure, V, G, N, channels) as one Euler step makes them.
        """
        self._check(context, actions, state, maps)
        shown = future.dtype == torch.uint8 and self.config.prediction == "clean"
        if (unexplained_weight or consistency is not None) and not shown:
            raise ConfigError(
                "unexplained_weight and value_weight need future frames, and dynamics that predict clean latents"
            )
        context, future, actions, state, maps = (self._here(part) for part in (context, future, actions, state, maps))
        with torch.no_grad():
            given, codes = self.encode_context(context), self.encode_maps(maps)
            clean = self.encode_future(future) if future.dtype == torch.uint8 else future
        config = self.config
        given = given.noisy(config.context_noise, generator)
        noise = self._here(torch.randn(clean.shape, generator=generator))
        level = flow_matching.sample_noise_levels(
            len(clean),
            mean=config.noise_mean,
            std=config.noise_std,
            pure_noise_share=config.pure_noise_share,
            generator=generator,
        ).to(self.device)
        level[:pure] = 1.0
        noisy = flow_matching.interpolate(clean, noise, level)
        output = self._network(noisy, level, given, codes, *self.actions(actions, state))
        target = clean if config.prediction == "clean" else noise - clean
        weight = self.codec.pixel_weight
        error = ((output - target) ** 2 * weight).sum(-1)  # (B, V, G, N)
        if unexplained_weight:
            where = unexplained(context, future, maps)
            error = error + unexplained_weight * self.codec.squared_error(output - target, where)
        energy = (clean**2 * weight).sum(-1)
        loss = (error * self._motion_weight(energy)).mean() / weight.sum()
        estimate = output if config.prediction == "clean" else noisy - level.view(-1, 1, 1, 1, 1) * output
        mse = ((estimate.detach() - clean) ** 2 * weight).sum(-1).mean() / self.codec.numbers_per_latent
        found = {"imagined": estimate[:pure].detach()} if pure else {}
        if consistency is None:
            return {**found, "loss": loss, "mse": mse}
        frames = self.codec.differentiable_frames(estimate, config.grid, context[:, -1], self._drawings(maps))
        found |= consistency(frames, future)
        return {**found, "loss": loss + found["loss"], "mse": mse}

    @torch.no_grad()
    def sample(
        self,
        context: Tensor,
        actions: Tensor,
        state: Tensor | None = None,
        *,
        steps: int = 1,
        maps: Tensor | None = None,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Imagine the frames that follow: (B, F, V, H, W, 3) uint8.

        Args:
            context, actions, state, maps: as in `loss`.
            steps: Euler steps from noise to data.
            noise: (B, *latent_shape); give `flow_matching.seeded_noise` for results that do not depend on the batch.
            generator: of the noise where none is given.
        """
        self._check(context, actions, state, maps)
        if noise is None:
            noise = torch.randn((len(context), *self.latent_shape), generator=generator)
        context, actions, state, maps, noise = (self._here(part) for part in (context, actions, state, maps, noise))
        given = self.encode_context(context)
        codes = self.encode_maps(maps)
        conditions = self.actions(actions, state)

        def velocity(noisy: Tensor, level: Tensor) -> Tensor:
            output = self._network(noisy, level.expand(len(noisy)), given, codes, *conditions).float()
            if self.config.prediction == "velocity":
                return output
            return flow_matching.velocity_from_clean(noisy, output, level)

        latents = flow_matching.euler(velocity, noise, self._here(flow_matching.euler_levels(steps)))
        return self.decode_future(context, latents, maps)

    def _here(self, tensor: Tensor | None) -> Any:
        """`tensor`, which may be absent, on the device of the network."""
        return None if tensor is None else tensor.to(self.device)

    def _network(
        self,
        noisy: Tensor,
        level: Tensor,
        given: Context,
        maps: Tensor | None,
        embedding: Tensor,
        tokens: Tensor,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Output for the future groups (B, V, G, N, channels); context groups are clean (level 0)."""
        past = self.context_groups
        groups = past + noisy.shape[2]
        channels = [
            torch.cat([given.motion, noisy], dim=2) if past else noisy,
            given.content.expand(-1, -1, groups, -1, -1),
        ]
        if not past:
            channels += [motion.expand(-1, -1, groups, -1, -1) for motion in given.motion.split(1, dim=2)]
        if maps is not None:
            present = maps[:, :, :1].expand(-1, -1, past, -1, -1)
            channels.append(torch.cat([present, maps], dim=2) if past else maps)
        levels = level[:, None].repeat(1, groups)
        levels[:, :past] = 0.0
        output = self.transformer(torch.cat(channels, -1), tokens, 1000.0 * levels, embedding, self.config.grid, mask)
        output = output[:, :, past:]
        if self.drawn is not None:
            output = output + self.drawn(maps)
        return output if self.persistence is None else output + self.persistence * given.still

    def _motion_weight(self, energy: Tensor) -> Tensor:
        if self.config.motion_weight == 0.0:
            return torch.ones_like(energy)
        weight = (0.05 + energy / energy.mean()) ** self.config.motion_weight
        return weight / weight.mean()

    def _check(self, context: Tensor, actions: Tensor, state: Tensor | None, maps: Tensor | None) -> None:
        config, batch = self.config, len(context)
        frames = (batch, config.context_frames, config.views, config.height, config.width, 3)
        if tuple(context.shape) != frames or context.dtype != torch.uint8:
            raise ShapeError(f"context must be {frames} uint8, got {tuple(context.shape)} {context.dtype}")
        chunk = (batch, config.chunk_size, config.action_dim)
        if config.condition != "instruction" and tuple(actions.shape) != chunk:
            raise ShapeError(f"actions must be {chunk}, got {tuple(actions.shape)}")
        if (state is not None) != config.use_state:
            raise ShapeError(f"use_state is {config.use_state}, but state is {'absent' if state is None else 'given'}")
        if (maps is not None) != config.control_maps:
            raise ShapeError(
                f"control_maps is {config.control_maps}, but maps are {'absent' if maps is None else 'given'}"
            )
        shown = (batch, len(config.map_steps), *frames[2:])
        if maps is not None and (tuple(maps.shape) != shown or maps.dtype != torch.uint8):
            raise ShapeError(f"maps must be {shown} uint8, got {tuple(maps.shape)} {maps.dtype}")
        if state is not None and tuple(state.shape) != (batch, config.action_dim):
            raise ShapeError(f"state must be {(batch, config.action_dim)}, got {tuple(state.shape)}")


def new_codec(config: CodecConfig | LtxVaeConfig | WanVaeConfig) -> LatentCodec:
    """The codec of a configuration."""
    if isinstance(config, CodecConfig):
        return PatchPcaCodec(config)
    return WanVaeCodec(config) if isinstance(config, WanVaeConfig) else LtxVaeCodec(config)


def new_transformer(
    config: DynamicsConfig, in_channels: int, caption_channels: int
) -> MultiViewTransformer | CosmosBackbone:
    """The network of a configuration, with fresh weights."""
    if config.architecture == "cosmos":
        return CosmosBackbone(config, in_channels, caption_channels)
    rows, columns = config.grid
    groups = config.future_groups + (config.context_groups if config.context_tokens else 0)
    return MultiViewTransformer(
        in_channels=in_channels,
        out_channels=config.codec.channels,
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        num_layers=config.layers,
        caption_channels=caption_channels,
        views=config.views,
        cross_view_every=config.cross_view_every,
        view_modulation=config.view_modulation,
        rotary=config.rope,
        rotary_scale=config.rotary_scale,
        positions=(groups, rows * columns) if config.learned_positions else None,
    )


def ge_base_key(key: str) -> str | None:
    """Our name of a key of GE-Base: the same; None for the action expert that GE-Act adds."""
    return None if key.startswith("action_") else key
