"""Every number of a training, frozen, overridable on the command line, saved resolved beside the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rise_learning.errors import ConfigError
from rise_learning.model_choices import DynamicsModel, PatchModel, ValueBackbone
from rise_learning.policy.config import BasePolicyConfig, PolicyConfig
from rise_learning.training.loop import LoopConfig


def _check_shares(settings: object, *names: str) -> None:
    """Raises ConfigError where one of these settings is no share between 0 and 1."""
    for name in names:
        share = getattr(settings, name)
        if not 0 <= share <= 1:
            raise ConfigError(f"{name} is a share between 0 and 1, got {share:g}")


@dataclass(frozen=True)
class ValueTraining:
    """Progress + TD value model (Sec. III-A, XI-C)."""

    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=1500, batch_size=64, learning_rate=1e-3))
    progress_only_share: float = 0.2
    """Share of the steps that train on progress alone, before TD joins (10k of 50k in the paper)."""
    discount: float = 0.995
    failure_reward: float = -1.0
    """Terminal reward of a failure; success is +1 (`released`: -0.6)."""
    progress_on: Literal["demonstrations", "successes"] = "demonstrations"
    """Where progress is regressed: on successful demonstrations, or on every success (`released`)."""
    terminal_frames: int = 1
    """Last frames of an episode whose TD target is the terminal reward (`released`: 10)."""
    averaged_target: bool = False
    """TD bootstraps from the average of the weights (loop.ema_decay) instead of the weights (`released`)."""
    td_bounds: tuple[float, float] | None = None
    """TD targets are clamped to this range (`released`: -1 to 1)."""
    td_weight: float = 1.0
    auxiliary_weight: float = 0.3
    """Weight of the rubric-state loss, where bags hold rubric events; 0 leaves it out."""
    imagined_share: float = 0.0
    """Share of the frames that are shown as OUT/dynamics show them, half of these imagined and half coded alone (beyond
    the paper): what V will read in imagination. Train the dynamics first."""
    imagined_chunks: int = 1024
    """Recorded chunks that are imagined for it before the first step."""
    imagined_links: int = 3
    """Links of 5 frames that the longest chains go on by before they are shown; 0: all begin with recorded frames."""
    held_out: float = 0.1
    """Share of the episodes kept for the reported AUC."""
    backbone: ValueBackbone = field(default_factory=ValueBackbone)

    def __post_init__(self) -> None:
        _check_shares(self, "progress_only_share", "imagined_share", "held_out")


@dataclass(frozen=True)
class DynamicsTraining:
    """Action-conditioned multi-view dynamics (Sec. III-A, XI-B)."""

    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=1500, batch_size=8, learning_rate=1.5e-3, ema_decay=0.99)
    )
    unexplained_weight: float = 0.0
    """How much more errors count where neither the last frame nor the control maps show what is to be seen."""
    value_weight: float = 0.0
    """Weight of what OUT/value says otherwise of imagined frames than of the true ones."""
    imagined_links: int = 0
    """Above 0 contexts are imagined, too, by chains of so many links of 5 frames at most (beyond the paper, which adds
    noise to them): dynamics learn to restore what they blur."""
    tasks_per_batch: int = 2
    """Task-centric batching: every batch comes from this many tasks; 0 mixes all."""
    held_out: float = 0.1
    reported_chunks: int = 96
    """Held-out chunks that the reported PSNR is measured on."""
    model: DynamicsModel = field(default_factory=PatchModel)

    def __post_init__(self) -> None:
        _check_shares(self, "held_out")


@dataclass(frozen=True)
class PolicyTraining:
    """Imitation and warm-up (Sec. III-B, XI-D)."""

    policy: BasePolicyConfig = field(default_factory=PolicyConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=2500, batch_size=64, learning_rate=1e-3))
    advantage_scale: float = 1.0
    """What advantages are multiplied with before they are binned over `bin_range` (`released`: 5)."""
    bin_range: tuple[float, float] | None = None
    """Scaled advantages that the bins cover (`released`: -1 to 1, 0 falls into bin 6); None fits the rollouts'."""
    experts_apart: bool = False
    """Demonstrations and corrections have the last bin to themselves; deployment asks for the best one of rollouts, the
    one before (beyond the paper)."""


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
    """Control steps by which proposed chunks come early or late at most (beyond the paper)."""
    tool_shift: float = 0.0
    """Standard deviation, m, by which tools are moved beside where proposed chunks lead; each arm then goes its own
    way, in time as well (beyond the paper). Piper arms only."""
    judged_frames: int = 0
    """Last frames of an imagined chunk whose values make its advantage (beyond the paper); 0 takes all, as Eq. 2."""
    kept_states: float = 0.0
    """Above 0 chunks are chosen by what their state allows (beyond the paper): of this share of the states, those whose
    candidates differ most, the better half is learned from with the top bin; 0 learns from all, each with its bin."""
    middle: bool = False
    """With kept_states: of a state's better half only the mean chunk is learned from (beyond the paper)."""
    refit_bins: bool = False
    """Fit the range of the bins to imagined advantages of the starting policy; else that of the warm-up's rollouts."""
    bin_tail: float = 0.02
    """Share of advantages on each side that refitting leaves to the outer bins."""
    minimum_bin: int = 1
    """Imagined samples of lower bins are not trained on; the top bin clones the best chunks (beyond the paper)."""
    minimum_trust: float = 0.0
    """Imaginations trusted less (0 to 1, `Doubt.trust`) are not trained on (beyond the paper); 0 does not ask."""
    chunks_per_start: int = 2
    """Consecutive chunks imagined from one offline state, the second from imagined frames."""
    anchored: bool = False
    """Chunks are proposed by the policy that the run began with, not by its EMA (beyond the paper). What explored
    chunks are chosen for, such as a little haste, then does not add up from rollout to rollout."""
    guided_chunks: int = 0
    """Above 0 imagined episodes of so many chunks are led by what the world model says of `candidates` at every choice,
    and those that end well are learned from like recorded ones (beyond the paper; rl/imagined_episodes.py)."""
    led_chunks: int = 0
    """With guided_chunks, above 0: only the first so many are led; behind them the policy goes on alone, one imagined
    chunk a choice, so that how an episode ends is seen for little."""
    passed_over: int = 0
    """With guided_chunks: of every led choice so many candidates that were clearly worse are learned from, too, with
    the bins that they earn between the worst and the best of their state (the paper learns from every imagined chunk,
    with its bin). 0: from none, and imagination says nothing of the lower bins."""
    replan_steps: int = 10
    """With guided_chunks: control steps that are played of a chunk before the next one is chosen."""
    tolerance: float = 0.1
    """With guided_chunks: what the policy's own chunk may be judged below the best candidate and is still played."""
    blend_steps: int = 0
    """With guided_chunks: control steps over which a chunk takes over from the plan, as `deployment.blend_steps`."""
    minimum_value: float = 0.95
    """With guided_chunks: V at the end of an imagined episode that ended well."""
    minimum_rise: float = 0.0
    """With guided_chunks, above 0: an imagined episode over which V rises this much ended well, too; for few chunks."""
    rehearse: bool = False
    """With guided_chunks: the policy first plays every imagined episode alone. Only those that do not end well are led,
    and of the others as many are learned from as of these."""
    attempts: int = 1
    """With guided_chunks: times that an episode which does not end well is led. What is led to a good end at once is
    mostly easy; hard scenes get there by trying (docs/decisions/0021, 0022)."""
    minimum_gain: float = 0.0
    """With rehearse, above 0: every episode is led as well, and is a correction where V ends this much above what the
    policy alone makes of the same start. For episodes too short to tell what ends well."""
    judgements: int = 0
    """With minimum_gain, above 0: both are imagined so many times more, and compared by the mean of these. What is led
    was chosen for how well it was imagined, errors included (docs/decisions/0012)."""
    online_states: bool = True
    """With guided_chunks: imagined states are learned from, too, not only imagined commands at recorded ones (Table
    III; without guided_chunks leave them out with chunks_per_start 1)."""
    start_frames: int = 0
    """Only the first so many frames of an episode are states to imagine from; 0 takes all of them."""
    failed_share: float = 0.0
    """Above 0, this share of the states to imagine from is of recordings that failed, and the rest is not. What has
    failed once mostly fails again: there is what can be learned (docs/decisions/0022). 0 draws from all alike."""
    rollout_every: int = 4
    """Training steps between two rollout stages."""
    video_every: int = 500
    """Training steps between two videos OUT/self_improved/imagined/step_*.mp4: of the chunks that are imagined then the
    best and the worst one, with their advantages. 0: none."""
    buffer_size: int = 4096
    """Newest imagined samples kept."""
    flow_steps: int = 3
    dynamics_steps: int = 1

    def __post_init__(self) -> None:
        _check_shares(self, "offline_share", "kept_states", "bin_tail", "minimum_trust", "failed_share")
