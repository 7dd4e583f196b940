"""Presets: the numbers of all trainings at one size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rise_learning.errors import ConfigError
from rise_learning.model_choices import GeBaseModel, PatchModel, Pi05Backbone
from rise_learning.policy.config import Pi05PolicyConfig
from rise_learning.training.loop import LoopConfig
from rise_learning.training_settings import DynamicsTraining, PolicyTraining, SelfImprovement, ValueTraining
from rise_worldmodel.pi05.config import Pi05Config


@dataclass(frozen=True)
class Preset:
    """All trainings of one size."""

    name: str
    image_size: tuple[int, int]
    value: ValueTraining
    dynamics: DynamicsTraining
    policy: PolicyTraining
    self_improvement: SelfImprovement


def small() -> Preset:
    """Hours on two CPU cores, at the frame size of `tiny`: wider dynamics of finer latents, more steps of all.

    Measured on one busy core: value 15 min, dynamics about 2 s a step with chains of 3 (1.4 s without, two threads
    alone), imitation 17 min; scripts/world_model.sh and scripts/self_improvement.sh say how the rest is chosen.
    """
    return Preset(
        "small",
        (48, 64),
        ValueTraining(LoopConfig(steps=4000, batch_size=128, learning_rate=1e-3, warmup_steps=200)),
        DynamicsTraining(
            LoopConfig(steps=4000, batch_size=8, learning_rate=1e-3, warmup_steps=300, ema_decay=0.998),
            model=PatchModel(heads=4, head_dim=64, layers=4, channels=384, maps_per_group=5),
        ),
        PolicyTraining(loop=LoopConfig(steps=10_000, batch_size=64, learning_rate=1e-3, warmup_steps=200)),
        SelfImprovement(
            LoopConfig(steps=3000, batch_size=64, learning_rate=3e-4, checkpoint_every=200), buffer_size=8192
        ),
    )


def paper() -> Preset:
    """Tables VIII to X: published weights, one node of eight GPUs.

    What the tables leave open is as in openpi (policy: 30k steps at 2.5e-5; weight decay) and Genie Envisioner.
    """
    large = LoopConfig(
        batch_size=64, weight_decay=1e-10, ema_decay=0.99, warmup_steps=1000, checkpoint_every=2000,
        device="auto", bfloat16=True, shard_optimizer=True,
    )  # fmt: skip
    pi05 = Pi05Config(checkpointing=True)
    return Preset(
        "paper",
        (192, 256),
        ValueTraining(replace(large, steps=50_000, learning_rate=2.5e-5), backbone=Pi05Backbone(pi05)),
        DynamicsTraining(
            replace(large, steps=50_000, learning_rate=1e-4, warmup_steps=2000, min_lr_ratio=1.0, weight_decay=1e-5),
            model=GeBaseModel(),
        ),
        PolicyTraining(Pi05PolicyConfig(architecture=pi05), replace(large, steps=30_000, learning_rate=2.5e-5)),
        SelfImprovement(
            replace(large, steps=10_000, learning_rate=1e-4, ema_decay=0.995), flow_steps=10, dynamics_steps=50
        ),
    )


def released() -> Preset:
    """The paper's models with the numbers of the authors' released code where it differs from the paper."""
    preset = paper()
    value, policy, improvement = preset.value, preset.policy, preset.self_improvement
    return replace(
        preset,
        name="released",
        value=replace(
            value,
            loop=replace(value.loop, steps=100_000, ema_decay=0.99),
            progress_only_share=0.0,
            progress_on="successes",
            failure_reward=-0.6,
            terminal_frames=10,
            averaged_target=True,
            td_bounds=(-1.0, 1.0),
        ),
        policy=replace(
            policy, loop=replace(policy.loop, learning_rate=1e-5), advantage_scale=5.0, bin_range=(-1.0, 1.0)
        ),
        self_improvement=replace(improvement, loop=replace(improvement.loop, learning_rate=1e-5), dynamics_steps=25),
    )


PRESETS = {
    "tiny": Preset("tiny", (48, 64), ValueTraining(), DynamicsTraining(), PolicyTraining(), SelfImprovement()),
    "small": small(),
    "paper": paper(),
    "released": released(),
}
PRESET_NAMES = tuple(PRESETS)


def get_preset(name: str) -> Preset:
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]
