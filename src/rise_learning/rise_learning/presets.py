"""Presets: every number of a training, frozen, overridable on the command line, saved resolved beside the run."""

from __future__ import annotations

from dataclasses import dataclass, field

from rise_learning.errors import ConfigError
from rise_learning.policy.config import PolicyConfig
from rise_learning.training.loop import LoopConfig


@dataclass(frozen=True)
class ValueTraining:
    """Progress + TD value model (Sec. III-A, XI-C)."""

    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=1500, batch_size=64, learning_rate=1e-3))
    progress_only_share: float = 0.2
    """Share of the steps that train on progress alone, before TD joins (10k of 50k in the paper)."""
    discount: float = 0.995
    failure_reward: float = -1.0
    """Terminal reward of a failure; success is +1 (`released`: -0.6)."""
    td_weight: float = 1.0
    auxiliary_weight: float = 0.3
    """Weight of the rubric-state loss, where bags hold rubric events; 0 leaves it out."""
    held_out: float = 0.1
    """Share of the episodes kept for the reported AUC."""


@dataclass(frozen=True)
class DynamicsTraining:
    """Action-conditioned multi-view dynamics (Sec. III-A, XI-B)."""

    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=1500, batch_size=8, learning_rate=1.5e-3, ema_decay=0.99)
    )
    control_maps: bool = True
    """Condition on drawn control maps where the cell of the contract is known (the simulated one)."""
    tasks_per_batch: int = 2
    """Task-centric batching: every batch comes from this many tasks; 0 mixes all."""
    held_out: float = 0.1
    reported_chunks: int = 96
    """Held-out chunks that the reported PSNR is measured on."""


@dataclass(frozen=True)
class PolicyTraining:
    """Imitation and warm-up (Sec. III-B, XI-D)."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=2500, batch_size=64, learning_rate=1e-3))


@dataclass(frozen=True)
class SelfImprovement:
    """The imagination loop (Sec. III-C)."""

    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=1200, batch_size=64, learning_rate=3e-4, checkpoint_every=200)
    )
    offline_share: float = 0.6
    """Share of a batch that is offline data (Table II)."""
    starts_per_rollout: int = 64
    """States imagined from in one rollout stage."""
    candidates: int = 1
    """Chunks imagined from one state; above 1 the advantage can be taken within the state."""
    within_state: bool = False
    """Subtract the mean advantage of the state's candidates before binning (beyond the paper)."""
    time_shift: float = 0.0
    """Standard deviation, in control steps, by which proposed chunks come early or late (beyond the paper)."""
    refit_bins: bool = False
    """Fit the range of the bins to imagined advantages of the starting policy; else that of the warm-up's rollouts."""
    bin_tail: float = 0.02
    """Share of advantages on each side that refitting leaves to the outer bins."""
    minimum_bin: int = 1
    """Imagined samples of lower bins are not trained on; the top bin clones the best chunks (beyond the paper)."""
    chunks_per_start: int = 2
    """Consecutive chunks imagined from one offline state, the second from imagined frames."""
    rollout_every: int = 4
    """Training steps between two rollout stages."""
    buffer_size: int = 4096
    """Newest imagined samples kept."""
    flow_steps: int = 3
    dynamics_steps: int = 1


@dataclass(frozen=True)
class Preset:
    """All trainings of one size."""

    name: str
    image_size: tuple[int, int]
    value: ValueTraining
    dynamics: DynamicsTraining
    policy: PolicyTraining
    self_improvement: SelfImprovement


PRESETS = {
    "tiny": Preset("tiny", (48, 64), ValueTraining(), DynamicsTraining(), PolicyTraining(), SelfImprovement()),
}
PRESET_NAMES = tuple(PRESETS)


def get_preset(name: str) -> Preset:
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]
