"""Frozen configurations of the codecs, and what every configuration can do."""

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
        positive(self, "frames_per_group", "patch", "channels")
        if not 0.0 <= self.whitening <= 1.0:
            raise ConfigError(f"whitening must be in [0, 1], got {self.whitening}")

    def groups(self, frames: int) -> int:
        """Latents along time that a clip of `frames` needs."""
        multiple("future_frames", frames, "codec.frames_per_group", self.frames_per_group)
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
        multiple("future_frames - 1 =", frames - 1, "the VAE's", self.frames_per_group)
        return 1 + (frames - 1) // self.frames_per_group

    def context_groups(self, frames: int) -> int:
        """Every context frame is a clip of its own, as in GE-Base."""
        return frames


@dataclass(frozen=True)
class WanVaeConfig(LtxVaeConfig):
    """Wan 2.1's VAE, which Cosmos-Predict2.5 works on; its sizes follow from the published config.json.

    Attributes:
        settings: of diffusers' AutoencoderKLWan; what is left out has the value of Wan 2.1.
        family: tells a stored configuration from LTX's.
    """

    family: str = "wan"

    @property
    def channels(self) -> int:
        return self.settings.get("z_dim", 16)

    @property
    def patch(self) -> int:
        return 2 ** (len(self.settings.get("dim_mult", (1, 2, 4, 4))) - 1)

    @property
    def frames_per_group(self) -> int:
        return 2 ** sum(self.settings.get("temperal_downsample", (False, True, True)))


def codec_type(raw: dict[str, Any]) -> type[Config]:
    """Of a stored configuration."""
    if "settings" not in raw:
        return CodecConfig
    return WanVaeConfig if "family" in raw else LtxVaeConfig


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")


def positive(config: Config, *names: str) -> None:
    for name in names:
        if getattr(config, name) < 1:
            raise ConfigError(f"{type(config).__name__}.{name} must be at least 1, got {getattr(config, name)}")


def multiple(name: str, value: int, of_name: str, of: int) -> None:
    if value % of:
        raise ConfigError(f"{name} {value} must be a multiple of {of_name} {of}")


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
