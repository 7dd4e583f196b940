"""Configurations of the policies; saved in every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from rise_worldmodel.pi05.config import Pi05Config


@dataclass(frozen=True)
class BasePolicyConfig:
    """What training and deployment ask every policy."""

    action_dim: int = 14
    chunk_size: int = 50
    image_size: tuple[int, int] = (48, 64)
    """(height, width) of the frames that the policy is given."""
    history: tuple[int, ...] = (-3, 0)
    """Frames given to the policy, relative to now, at the frame rate of the contract; speed needs two."""
    bins: int = 10
    """Advantage bins that the policy can be asked for."""
    bin_dropout: float = 0.15
    """Share of training samples whose bin is left out, for classifier-free guidance."""
    draws: int = 4
    """Noise draws per encoded observation and training step."""
    flow_steps: int = 5
    """Euler steps of one inference."""
    state_noise: float = 0.02
    """Standard deviation of the noise on the normalised state while training."""
    brightness: float = 0.1
    """Half-width of the brightness jitter while training."""
    bfloat16: bool = True
    """Train in bfloat16 where this processor has instructions for it; inference on a CPU is always float32."""

    @property
    def basis_size(self) -> int:
        """Numbers of the noise behind one chunk."""
        raise NotImplementedError


@dataclass(frozen=True)
class PolicyConfig(BasePolicyConfig):
    """Sizes of the convolutional policy (presets `tiny` and `small`)."""

    view_groups: tuple[int, ...] = (0, 1, 1)
    """Encoder of each view; views of one group share weights."""
    channels: tuple[int, int, int] = (24, 48, 64)
    view_features: int = 128
    prompt_features: int = 32
    width: int = 384
    blocks: int = 3
    basis_size: int = 128
    """Numbers that describe a chunk, and of the noise behind one: its leading principal components."""


@dataclass(frozen=True)
class Pi05PolicyConfig(BasePolicyConfig):
    """pi0.5 with its published sizes (preset `paper`)."""

    image_size: tuple[int, int] = (192, 256)
    history: tuple[int, ...] = (0,)
    draws: int = 1
    flow_steps: int = 10
    state_noise: float = 0.0
    architecture: Pi05Config = field(default_factory=Pi05Config)
    weights: str = ""
    """Local directory of published weights (openpi's PyTorch export or lerobot's pi05) with PaliGemma's tokenizer.json;
    `random` begins without."""

    @property
    def basis_size(self) -> int:
        """Numbers of the noise behind one chunk."""
        return self.chunk_size * self.architecture.action_dim
