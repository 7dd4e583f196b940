"""Frozen configurations of dynamics and value. Every dimension of a robot is a field: no default knows one."""

from __future__ import annotations

from dataclasses import dataclass, field

from rise_worldmodel.codec_config import (
    CodecConfig,
    Config,
    LtxVaeConfig,
    WanVaeConfig,
    codec_type,
    multiple,
    one_of,
    positive,
)
from rise_worldmodel.errors import ConfigError

__all__ = [
    "CodecConfig",
    "Config",
    "DynamicsConfig",
    "LtxVaeConfig",
    "ValueConfig",
    "WanVaeConfig",
    "cosmos_dynamics",
    "paper_dynamics",
    "tiny_dynamics",
    "tiny_value",
]


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
        condition: what the future is conditioned on beside the context: "actions"; "instruction", as Genie Envisioner
            publishes GE-Base; "nothing".
        texts: the instructions whose embeddings by a text encoder the model holds; empty where the instruction is read
            as hashed words that are trained with it.
        text_tokens: of the longest of them.
        text_vocabulary: of hashed words.
        architecture: of the transformer: "ltx" (GE-Base) or "cosmos" (Cosmos-Predict).
        patch: side of the square of latents that one token of "cosmos" covers.
        adaln_rank: width of the low-rank modulation of "cosmos".
        control_maps: whether pictures of the robot where its commands will take it, with all that stands still and no
            objects, are a condition (explicit geometry, future work in Sec. VII; GE-Sim projects trajectories).
        maps_per_group: control maps of every frame group, at even distances, its last frame among them; what lies
            between two is blurred, and every map costs time.
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
    condition: str = "actions"
    texts: tuple[str, ...] = ()
    text_tokens: int = 128
    text_vocabulary: int = 512
    architecture: str = "ltx"
    patch: int = 1
    adaln_rank: int = 64
    control_maps: bool = False
    maps_per_group: int = 1
    motion_weight: float = 0.0
    caption_channels: int = 0
    view_modulation: bool = False
    frame_rate: float = 0.0
    checkpointing: bool = False
    codec: CodecConfig | LtxVaeConfig | WanVaeConfig = field(default_factory=CodecConfig)

    def __post_init__(self) -> None:
        if isinstance(self.codec, dict):
            object.__setattr__(self, "codec", codec_type(self.codec).from_dict(self.codec))
        positive(self, "views", "height", "width", "action_dim", "chunk_size", "future_frames", "context_frames")
        positive(self, "heads", "head_dim", "layers", "cross_view_every")
        multiple("height", self.height, "codec.patch", self.codec.patch)
        multiple("width", self.width, "codec.patch", self.codec.patch)
        self.codec.groups(self.future_frames)
        multiple("chunk_size", self.chunk_size, "future_frames", self.future_frames)
        positive(self, "maps_per_group")
        multiple("codec.frames_per_group", self.codec.frames_per_group, "maps_per_group", self.maps_per_group)
        if self.control_maps and not self.codec.content_channels:
            raise ConfigError("control_maps are encoded as content: codec.content_channels must not be 0")
        one_of("prediction", self.prediction, ("clean", "velocity"))
        one_of("condition", self.condition, ("actions", "instruction", "nothing"))
        one_of("architecture", self.architecture, ("ltx", "cosmos"))
        if self.use_state and self.condition != "actions":
            raise ConfigError(f"condition {self.condition!r} goes without the joint state: use_state must be off")
        if self.control_maps and self.condition != "actions":
            raise ConfigError(f"condition {self.condition!r} goes without control_maps, which draw the actions")
        if self.texts and self.condition != "instruction":
            raise ConfigError(f"texts are embedded for condition 'instruction', not {self.condition!r}")
        if self.architecture == "cosmos" and (self.grid[0] % self.patch or self.grid[1] % self.patch):
            raise ConfigError(f"a grid of {self.grid} latents cannot be divided into patches of {self.patch}")
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
        """M + 1 frames of which `control_maps` are shown, counted from the present (0) to the end of the last group."""
        return tuple(range(0, self.future_frames + 1, self.codec.frames_per_group // self.maps_per_group))

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
        positive(self, "views", "height", "width", "feature_dim", "hidden")
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


def cosmos_dynamics(
    action_dim: int, *, views: int = 3, chunk_size: int = 50, future_frames: int = 25, vae: WanVaeConfig | None = None
) -> DynamicsConfig:
    """Cosmos-Predict2.5 2B on Wan's VAE: views side by side, action tokens where it read those of the prompt."""
    return DynamicsConfig(
        views, 192, 256, action_dim, chunk_size, future_frames,
        heads=16, head_dim=128, layers=28, learned_positions=False, prediction="velocity", pure_noise_share=0.0,
        context_tokens=True, caption_channels=1024, architecture="cosmos", patch=2, adaln_rank=256,
        checkpointing=True, codec=vae or WanVaeConfig(),
    )  # fmt: skip


def tiny_value(*, views: int = 3, auxiliary_dim: int = 0) -> ValueConfig:
    """Value model of the preset `tiny`: the first view seen at full resolution, the others share one encoder."""
    others = (1,) * (views - 1)
    resolution = (True, False) if others else (True,)
    return ValueConfig(views, 48, 64, (0, *others), resolution, auxiliary_dim=auxiliary_dim)
