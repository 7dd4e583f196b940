"""Configuration of the policy; saved in every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PolicyConfig:
    """Sizes of the convolutional policy (presets `tiny` and `small`)."""

    action_dim: int = 14
    chunk_size: int = 50
    view_groups: tuple[int, ...] = (0, 1, 1)
    """Encoder of each view; views of one group share weights."""
    image_size: tuple[int, int] = (48, 64)
    """(height, width) that the encoder sees."""
    history: tuple[int, ...] = (-3, 0)
    """Frames given to the policy, relative to now, at the frame rate of the contract; speed needs two."""
    channels: tuple[int, int, int] = (24, 48, 64)
    view_features: int = 128
    prompt_features: int = 32
    width: int = 384
    blocks: int = 3
    basis_size: int = 128
    """Numbers that describe a chunk: its leading principal components."""
    bins: int = 10
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
    """Train in bfloat16 where this CPU has instructions for it; inference is always float32."""
