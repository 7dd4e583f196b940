"""Frozen configurations of codec, dynamics and value. Every dimension of a robot is a field: no default knows one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rise_worldmodel.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound="Config")


@dataclass(frozen=True)
class Config:
    """What every configuration can do: to a plain dictionary and back, refusing unknown fields."""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls: type[ConfigT], raw: dict[str, Any]) -> ConfigT:
        known = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(raw) - set(known))
        if unknown:
            raise ConfigError(f"{cls.__name__} has no fields {unknown}; it has {sorted(known)}")
        return cls(**{name: _tuples(value) for name, value in raw.items()})


@dataclass(frozen=True)
class CodecConfig(Config):
    """Closed-form patch codec (a stand-in for the video VAE where two cores cannot train one).

    Attributes:
        frames_per_group: frames that one latent covers in time.
        patch: side of the square patch that one latent covers in space, pixels.
        channels: numbers per latent.
        content_channels: numbers that describe a patch of the last context frame; 0 for none.
        whitening: 0 keeps the variances of the principal components, 1 makes them equal, between: a power.
    """

    frames_per_group: int = 5
    patch: int = 16
    channels: int = 192
    content_channels: int = 128
    whitening: float = 0.5

    def __post_init__(self) -> None:
        _positive(self, "frames_per_group", "patch", "channels")
        if not 0.0 <= self.whitening <= 1.0:
            raise ConfigError(f"whitening must be in [0, 1], got {self.whitening}")

    def groups(self, frames: int) -> int:
        """Latents along time that a clip of `frames` needs."""
        _multiple("future_frames", frames, "codec.frames_per_group", self.frames_per_group)
        return frames // self.frames_per_group

    def context_groups(self, frames: int) -> int:
        """Groups that hold `frames` of context; the last frame is repeated to fill them."""
        return -(-frames // self.frames_per_group)


@dataclass(frozen=True)
class LtxVaeConfig(Config):
    """LTX-Video's VAE; its sizes follow from the published config.json.

    Attributes:
        settings: of diffusers' AutoencoderKLLTXVideo; what is left out has the value of LTX-Video 0.9.
    """

    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        return self.settings.get("latent_channels", 128)

    @property
    def content_channels(self) -> int:
        """None: the context itself is in the sequence."""
        return 0

    @property
    def patch(self) -> int:
        """Side of the square that one latent covers, pixels."""
        return self.settings.get("spatial_compression_ratio") or self.settings.get("patch_size", 4) * self._halvings

    @property
    def frames_per_group(self) -> int:
        """Frames of every latent but the first of a clip, which covers one."""
        ratio = self.settings.get("temporal_compression_ratio")
        return ratio or self.settings.get("patch_size_t", 1) * self._halvings

    @property
    def _halvings(self) -> int:
        return 2 ** sum(self.settings.get("spatio_temporal_scaling", (True, True, True, False)))

    def groups(self, frames: int) -> int:
        """Latents along time that a clip of `frames` needs."""
        _multiple("future_frames - 1 =", frames - 1, "the VAE's", self.frames_per_group)
        return 1 + (frames - 1) // self.frames_per_group

    def context_groups(self, frames: int) -> int:
        """Every context frame is a clip of its own, as in GE-Base."""
        return frames


@dataclass(frozen=True)
class DynamicsConfig(Config):
    """Action-conditioned multi-view video diffusion on the LTX / GE-Base architecture (Sec. III-A, XI-B of RISE).

    Attributes:
        views: cameras, V.
        height, width: of every frame, pixels; multiples of `codec.patch`.
        action_dim: A.
        chunk_size: actions of one chunk, K.
        future_frames: predicted frames of one chunk, F; divides `chunk_size`, multiple of `codec.frames_per_group`.
        context_frames: frames of history, C; the last one is the present.
        use_state: whether the proprioceptive state (A numbers, normalised as the actions) is a condition.
        heads, head_dim, layers: of the transformer; its width is heads * head_dim.
        cross_view_every: attention runs across views in every n-th block (GE-Base: 3).
        rope: rotary positions of LTX; off where learned positions alone are enough.
        learned_positions: learned embedding of (group, place) for this very frame size.
        prediction: what the network outputs: "clean" latents or "velocity" (noise - latents, as LTX and GE-Base).
        noise_mean, noise_std: of the logit-normal noise level (m, s of the paper); level 1 is pure noise.
        pure_noise_share: share of training samples at noise level 1, so that one Euler step is well trained.
        context_noise: standard deviation of the noise on context latents while training.
        context_tokens: whether the motion of the context is a frame group of its own in the sequence, as in GE-Base, or
            (fewer tokens) extra input channels of every future token.
        control_maps: whether pictures of the robot where its commands will take it, with all that stands still and no
            objects, are a condition (explicit geometry, named as future work in Sec. VI; GE-Sim projects trajectories).
        caption_channels: width of the tokens that cross-attention reads; 0 for that of the transformer (GE-Base: 4096,
            where its text projection receives the action tokens).
        view_modulation: GE-Base's conditioning on the view (its `view_ada`) in place of ours.
        frame_rate: Hz that rotary times are counted in, as LTX does, with places in pixels; 0 counts latents.
        checkpointing: recompute activations in the backward pass (memory against a third more time).
        motion_weight: power m of the loss weight (token's motion energy / mean)^m; 0 weighs all tokens alike.
        codec: how frames become latents.
    """

    views: int
    height: int
    width: int
    action_dim: int
    chunk_size: int
    future_frames: int
    context_frames: int = 4
    use_state: bool = True
    heads: int = 4
    head_dim: int = 32
    layers: int = 4
    cross_view_every: int = 1
    rope: bool = False
    learned_positions: bool = True
    prediction: str = "clean"
    noise_mean: float = 0.2
    noise_std: float = 1.0
    pure_noise_share: float = 0.25
    context_noise: float = 0.2
    context_tokens: bool = False
    control_maps: bool = False
    motion_weight: float = 0.0
    caption_channels: int = 0
    view_modulation: bool = False
    frame_rate: float = 0.0
    checkpointing: bool = False
    codec: CodecConfig | LtxVaeConfig = field(default_factory=CodecConfig)

    def __post_init__(self) -> None:
        if isinstance(self.codec, dict):
            codec: type[Config] = LtxVaeConfig if "settings" in self.codec else CodecConfig
            object.__setattr__(self, "codec", codec.from_dict(self.codec))
        _positive(self, "views", "height", "width", "action_dim", "chunk_size", "future_frames", "context_frames")
        _positive(self, "heads", "head_dim", "layers", "cross_view_every")
        _multiple("height", self.height, "codec.patch", self.codec.patch)
        _multiple("width", self.width, "codec.patch", self.codec.patch)
        self.codec.groups(self.future_frames)
        _multiple("chunk_size", self.chunk_size, "future_frames", self.future_frames)
        if self.control_maps and not self.codec.content_channels:
            raise ConfigError("control_maps are encoded as content: codec.content_channels must not be 0")
        if self.prediction not in ("clean", "velocity"):
            raise ConfigError(f"prediction must be 'clean' or 'velocity', got {self.prediction!r}")
        if not 0.0 <= self.pure_noise_share <= 1.0:
            raise ConfigError(f"pure_noise_share must be in [0, 1], got {self.pure_noise_share}")

    @property
    def dim(self) -> int:
        """Width of the transformer."""
        return self.heads * self.head_dim

    @property
    def future_groups(self) -> int:
        return self.codec.groups(self.future_frames)

    @property
    def context_groups(self) -> int:
        return self.codec.context_groups(self.context_frames)

    @property
    def rotary_scale(self) -> tuple[float, float, float] | None:
        """What one latent is along (time in s, rows, columns in pixels), for LTX's rotary embedding."""
        if not self.frame_rate:
            return None
        return self.codec.frames_per_group / self.frame_rate, float(self.codec.patch), float(self.codec.patch)

    @property
    def map_steps(self) -> tuple[int, ...]:
        """Frames of which `control_maps` are shown, counted from the present (0): the ends of all future groups."""
        return tuple(range(0, self.future_frames + 1, self.codec.frames_per_group))

    @property
    def actions_per_frame(self) -> int:
        return self.chunk_size // self.future_frames

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of latents in one view."""
        return self.height // self.codec.patch, self.width // self.codec.patch


@dataclass(frozen=True)
class ValueConfig(Config):
    """Progress value model V(o, l): all views of one frame and an instruction to one number (Sec. III-A, XI-C).

    Attributes:
        views: cameras, V.
        height, width: of every frame, pixels.
        encoder_of_view: which image encoder each view uses; equal numbers share weights (both wrists).
        full_resolution: per encoder, whether its first layer keeps every pixel (small objects seen from far).
        channels: of the convolutions; each layer after the first halves the resolution.
        feature_dim: numbers per view after its encoder.
        hidden: width of the head.
        text_vocabulary: hashed words of the instruction; 0 ignores the instruction.
        text_dim: width of the instruction's embedding.
        auxiliary_dim: outputs of the auxiliary head (rubric state where it is known, for example classes of
            every object side by side); 0 for no head.
    """

    views: int
    height: int
    width: int
    encoder_of_view: tuple[int, ...]
    full_resolution: tuple[bool, ...]
    channels: tuple[int, ...] = (16, 32, 64, 96)
    feature_dim: int = 128
    hidden: int = 192
    text_vocabulary: int = 512
    text_dim: int = 32
    auxiliary_dim: int = 0

    def __post_init__(self) -> None:
        _positive(self, "views", "height", "width", "feature_dim", "hidden")
        if len(self.encoder_of_view) != self.views:
            raise ConfigError(f"encoder_of_view names {len(self.encoder_of_view)} views, expected {self.views}")
        if set(self.encoder_of_view) != set(range(len(self.full_resolution))):
            raise ConfigError(
                f"encoder_of_view {self.encoder_of_view} must use every encoder of 0..{len(self.full_resolution) - 1} "
                "(one per entry of full_resolution)"
            )


def tiny_dynamics(action_dim: int, *, views: int = 3, chunk_size: int = 50, future_frames: int = 25) -> DynamicsConfig:
    """The preset that trains on two CPU cores: 48x64 frames, 1.5 M parameters."""
    return DynamicsConfig(views, 48, 64, action_dim, chunk_size, future_frames)


def paper_dynamics(
    action_dim: int, *, views: int = 3, chunk_size: int = 50, future_frames: int = 25, vae: LtxVaeConfig | None = None
) -> DynamicsConfig:
    """GE-Base on LTX-Video 2B (Table VIII): 192x256 frames, four context frames as tokens, velocity prediction."""
    return DynamicsConfig(
        views, 192, 256, action_dim, chunk_size, future_frames,
        heads=32, head_dim=64, layers=28, cross_view_every=3, rope=True, learned_positions=False,
        prediction="velocity", pure_noise_share=0.0, context_tokens=True, caption_channels=4096,
        view_modulation=True, frame_rate=30.0, checkpointing=True, codec=vae or LtxVaeConfig(),
    )  # fmt: skip


def tiny_value(*, views: int = 3, auxiliary_dim: int = 0) -> ValueConfig:
    """Value model of the preset `tiny`: the first view seen at full resolution, the others share one encoder."""
    others = (1,) * (views - 1)
    resolution = (True, False) if others else (True,)
    return ValueConfig(views, 48, 64, (0, *others), resolution, auxiliary_dim=auxiliary_dim)


def _positive(config: Config, *names: str) -> None:
    for name in names:
        if getattr(config, name) < 1:
            raise ConfigError(f"{type(config).__name__}.{name} must be at least 1, got {getattr(config, name)}")


def _multiple(name: str, value: int, of_name: str, of: int) -> None:
    if value % of:
        raise ConfigError(f"{name} {value} must be a multiple of {of_name} {of}")


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
