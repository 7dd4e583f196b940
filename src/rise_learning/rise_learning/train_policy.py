"""Train the policy from bags: warm-up with advantage labels (Sec. III-B), or plain imitation with --imitation.

Warm-up needs a trained value model in --out (train_value), and starts from --init when given.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from rise_learning import cli
from rise_learning.data.episode_set import DEMONSTRATION, EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.errors import ConfigError, DataError
from rise_learning.policy.checkpoint import load_policy, save_policy
from rise_learning.policy.interface import Policy
from rise_learning.presets import PRESET_NAMES, get_preset
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.labels import demonstrated_frames, label_bins, optimal_frames, recorded_advantages
from rise_learning.training import distributed
from rise_learning.training.fingerprint import fingerprint
from rise_learning.training.learned_from import LearnedFrom
from rise_learning.training.loop import Trainer, step_rng
from rise_learning.training.policy_training import OfflineSamples, fit_config, new_policy
from rise_learning.training.run_directory import RunDirectory, write_json
from rise_learning.training.world_model_io import load_value, value_of_frames
from rise_learning.training_settings import PolicyTraining
from rise_robot.core.contract import Contract

FREE_WITH_INIT = {"bin_dropout", "draws", "flow_steps", "state_noise", "brightness", "bfloat16"}
"""Settings of a policy that its weights do not know."""


@dataclass(frozen=True)
class Args:
    """Flags of train_policy."""

    bags: tuple[Path, ...] = tyro.MISSING
    """Bags, or directories of bags."""
    out: Path = tyro.MISSING
    """Run directory; the policy goes to OUT/policy, or OUT/imitation with --imitation."""
    preset: str = "tiny"
    imitation: bool = False
    """Demonstrations only, no advantage labels."""
    corrections: bool = False
    """With --imitation: also what people commanded in corrections (DAgger)."""
    init: Path | None = None
    """Policy directory to start from, e.g. OUT/imitation. It keeps its sizes; --training.policy.bin-dropout and what
    else its weights do not know can be chosen anew."""
    seed: int = 0
    threads: int = 2
    training: PolicyTraining = dataclasses.field(default_factory=PolicyTraining)

    @classmethod
    def from_preset(cls, name: str) -> Args:
        return cls(preset=name, training=get_preset(name).policy)


def label(
    args: Args, episodes: EpisodeSet, count: int
) -> tuple[OfflineSamples, AdvantageBins | None, dict[str, float]]:
    """Frames to train on with their bins, the `count` bins that advantages were put into, if any, and statistics."""
    if args.imitation:
        experts = optimal_frames(episodes) if args.corrections else demonstrated_frames(episodes)
        frames = np.flatnonzero(experts)
        return OfflineSamples(episodes, frames, np.full(len(frames), count)), None, {}
    model = load_value(args.out / "value", episodes.contract).to(distributed.start(args.training.loop.device))
    values = value_of_frames(model, episodes)
    advantages = recorded_advantages(values, episodes)
    judged = ~optimal_frames(episodes)
    if not judged.any():
        raise DataError("warm-up needs rollouts beside demonstrations; run the policy with evaluate --record first")
    bins = fit_bins(args.training, advantages[judged], count)
    labels = label_bins(advantages, episodes, bins)
    counts = np.bincount(labels[judged], minlength=bins.count + 1)[1:]
    statistics = {
        "bins_clipped": bins.clipped(advantages[judged]),
        **{f"bin_{i + 1}": int(c) for i, c in enumerate(counts)},
    }
    return OfflineSamples.all_frames(episodes, labels), bins, statistics


def fit_bins(settings: PolicyTraining, advantages: np.ndarray, count: int) -> AdvantageBins:
    """`count` bins over the range of the preset, or fitted to the advantages (N,) of rollouts.

    A scale of the advantages is the inverse scale of the range, so that bins take advantages as they are everywhere.
    """
    if settings.bin_range is None:
        return AdvantageBins.fit(advantages, count, experts_apart=settings.experts_apart)
    low, high = (edge / settings.advantage_scale for edge in settings.bin_range)
    return AdvantageBins(low, high, count, settings.experts_apart)


def build(args: Args, samples: OfflineSamples) -> Policy:
    """A fresh policy fitted to the samples."""
    config = fit_config(args.training.policy, samples.episodes.contract, get_preset(args.preset).image_size)
    return new_policy(config, samples, args.seed)


def begin_policy(args: Args, contract: Contract) -> Policy:
    """The policy of --init, with those of --training.policy.* that were set to something else than the preset's.

    Raises:
        ConfigError: one of them would need other weights.
    """
    assert args.init is not None
    policy = load_policy(args.init, contract).policy
    usual, has, asked = (
        vars(config) for config in (get_preset(args.preset).policy.policy, policy.config, args.training.policy)
    )
    chosen = {name: value for name, value in asked.items() if value != usual.get(name) and value != has.get(name)}
    if fixed := sorted(chosen.keys() - FREE_WITH_INIT):
        both = [f"{name} {has.get(name, 'nothing')} there, {chosen[name]} asked for" for name in fixed]
        raise ConfigError(
            f"the policy of --init {args.init} keeps its sizes ({'; '.join(both)}); only "
            f"{', '.join(sorted(FREE_WITH_INIT))} can be chosen anew"
        )
    policy.config = dataclasses.replace(policy.config, **chosen)
    return policy


def train(args: Args) -> None:
    """Train, and write the EMA policy to its directory."""
    cli.use_threads(args.threads)
    episodes = load_bags(list(args.bags), get_preset(args.preset).image_size)
    if args.imitation and not any(e.kind == DEMONSTRATION for e in episodes.episodes):
        raise DataError("imitation needs demonstrations, and these bags hold none")
    if args.corrections and not args.imitation:
        raise ConfigError("--corrections is for --imitation; warm-up takes what people commanded in any case")
    begun = None if args.init is None else begin_policy(args, episodes.contract)
    config = args.training.policy if begun is None else begun.config
    samples, bins, statistics = label(args, episodes, config.bins)
    policy = build(args, samples) if begun is None else begun
    name = "imitation" if args.imitation else "policy"
    run = RunDirectory(args.out / name)
    loop = dataclasses.replace(args.training.loop, seed=args.seed)

    def loss(step: int) -> dict:
        inputs, chunks = samples.batch(step_rng(args.seed, step), loop.local_batch_size, policy.config.history)
        return {"loss": policy.loss(inputs, chunks).mean()}

    models = {} if args.init is None else {"init": args.init}
    if not args.imitation:
        models["value"] = args.out / "value"
    identity = fingerprint(samples.episodes, policy.config, args, models)
    trainer = Trainer(policy, loss, loop, run, fingerprint=identity)
    run.save_config(args=args, policy=policy.config, loop=loop)
    write_json(run.path / "labels.json", statistics)
    LearnedFrom.of(samples.episodes, models.values()).write(run.path)
    averaged = trainer.run(name)
    assert isinstance(averaged, Policy)
    if distributed.is_main():
        save_policy(run.path, averaged, episodes.contract, bins, f"{args.out.name}/{name}@{trainer.step}")


def main() -> None:
    cli.run(lambda: train(cli.parse(Args.from_preset, PRESET_NAMES)))


if __name__ == "__main__":
    main()
