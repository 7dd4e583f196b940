"""Improve the warm-up policy in imagination (Sec. III-C), offline from the bags; it goes to OUT/self_improved.

Needs OUT/value, OUT/dynamics and OUT/policy (train_value, train_dynamics, train_policy).
"""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro

from rise_learning import cli
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.errors import ConfigError
from rise_learning.policy.checkpoint import load_policy, load_warmed_up, save_policy
from rise_learning.policy.interface import Policy
from rise_learning.presets import PRESET_NAMES, get_preset
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.imagination import WorldModel
from rise_learning.rl.imagined_frames import ImaginedFrames
from rise_learning.rl.labels import label_bins, recorded_advantages
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.rl.self_improvement import SelfImprovementLoop
from rise_learning.rl.simulated_world_model import Judge, SimulatedWorldModel, recorded_task
from rise_learning.rl.statistics import Statistics
from rise_learning.rl.watched import Watched
from rise_learning.training import distributed
from rise_learning.training.best_policy import TRIALS, BestPolicy, Collapsed, PeriodicEvaluation
from rise_learning.training.fingerprint import fingerprint
from rise_learning.training.learned_from import LearnedFrom
from rise_learning.training.loop import Trainer
from rise_learning.training.policy_training import OfflineSamples
from rise_learning.training.run_directory import RunDirectory, write_json
from rise_learning.training.world_model_io import load_value, value_of_frames
from rise_learning.training_settings import SelfImprovement
from rise_robot.sim.tasks import TaskSetting
from rise_worldmodel.trust import TrustConfig

logger = logging.getLogger(__name__)

BINS = "bins.json"
"""Refitted bins, in OUT/self_improved."""
PILOT_STATES = 128
"""Offline states whose imagined advantages set the range of refitted bins."""


@dataclass(frozen=True)
class Args:
    """Flags of self_improve."""

    bags: tuple[Path, ...] = tyro.MISSING
    """The offline data: the bags that the warm-up used."""
    out: Path = tyro.MISSING
    """Run directory; the policy goes to OUT/self_improved."""
    preset: str = "tiny"
    init: Path | None = None
    """Policy to improve; OUT/policy (warm-up) when not given."""
    seed: int = 0
    threads: int = 2
    world_model: Literal["learned", "simulator", "simulated_frames", "imagined_frames"] = "learned"
    """learned: dynamics and value of OUT; simulator: physics and its own progress, a perfect world model;
    simulated_frames: physics and the value of OUT; imagined_frames: the dynamics of OUT and the progress of physics.
    Those three need bags of the simulator, and --training.chunks-per-start 1 or imagined episodes
    (--training.guided-chunks)."""
    level: str | None = None
    """Of the simulated episodes, where the simulator is the world model or evaluates: the level of the bags."""
    bricks: int | None = None
    """Likewise the number of bricks, if it was given."""
    evaluation: PeriodicEvaluation = dataclasses.field(default_factory=PeriodicEvaluation)
    training: SelfImprovement = dataclasses.field(default_factory=SelfImprovement)

    @classmethod
    def from_preset(cls, name: str) -> Args:
        return cls(preset=name, training=get_preset(name).self_improvement)


def train(args: Args) -> None:
    """Run the loop and write the improved policy and the counters of the run."""
    cli.use_threads(args.threads)
    settings = args.training
    device = distributed.start(settings.loop.device)
    episodes = load_bags(list(args.bags), get_preset(args.preset).image_size)
    first = args.init or args.out / "policy"
    start, bins = load_warmed_up(first, episodes.contract)
    policy = start.policy.train().requires_grad_(True)
    advantages = recorded_advantages(
        value_of_frames(load_value(args.out / "value", episodes.contract).to(device), episodes), episodes
    )
    offline = OfflineSamples.all_frames(episodes, label_bins(advantages, episodes, bins))
    world_model = Watched(build_world_model(args, episodes, device), settings.judged_frames)
    loop = SelfImprovementLoop(policy, world_model, offline, bins, settings, args.seed)
    run = RunDirectory(args.out / "self_improved")
    rate = episodes.contract.control_rate_hz / episodes.contract.actions_per_frame
    models = {"policy": first, "value": args.out / "value"}
    if args.world_model in ("learned", "imagined_frames"):
        models["dynamics"] = args.out / "dynamics"

    def save(directory: Path) -> None:
        version = f"{args.out.name}/self_improved@{trainer.step}"
        save_policy(directory, averaged, episodes.contract, loop.bins, version)

    best = None
    if args.evaluation.every:
        best = BestPolicy(run.path, save, simulated_task(args, episodes), args.evaluation, args.threads)

    def before_step(step: int) -> None:
        if best is not None:
            best(step)
        if settings.video_every and step % settings.video_every < settings.rollout_every and distributed.is_main():
            world_model.watch()
        loop.before_step(step)
        world_model.write(run.path / "imagined" / f"step_{step:08d}.mp4", fps=rate)

    trainer = Trainer(
        policy,
        loop.loss,
        dataclasses.replace(settings.loop, seed=args.seed),
        run,
        fingerprint=fingerprint(episodes, policy.config, args, models),
        before_step=before_step,
        extra_state=loop.state,
    )
    run.save_config(args=args, policy=policy.config, bins=bins)
    LearnedFrom.of(episodes, models.values()).write(run.path)
    if trainer.step == 0:
        forget(run.path)
    loop.restore(trainer.resumed_extra)
    averaged = trainer.ema.module
    assert isinstance(averaged, Policy)
    loop.rollout_policy = load_policy(first, episodes.contract).policy.to(device) if settings.anchored else averaged
    if settings.refit_bins:
        with distributed.main_first():
            refit_once(loop, run)
        loop.offline = OfflineSamples.all_frames(episodes, label_bins(advantages, episodes, loop.bins))
    try:
        trainer.run("self_improve")
        if best is not None:
            best(trainer.step)
    except Collapsed as collapse:
        logger.warning("%s", collapse)
    counted = distributed.gather(loop.statistics.state())
    if not distributed.is_main():
        return
    statistics = Statistics.of_all(counted)
    if best is not None and best.trials:
        keep_best(best, run.path)
    else:
        save(run.path)
    write_json(
        run.path / "statistics.json",
        {**vars(statistics), "offline_share_realised": statistics.offline_share, "bins_clipped": statistics.clipped},
    )
    print(f"self_improve: {told(statistics, settings)}")


def told(statistics: Statistics, settings: SelfImprovement) -> str:
    """What was imagined and learned from, in one line."""
    parts = [
        f"{statistics.imagined} imagined chunks, offline share {statistics.offline_share:.3f}",
        f"{statistics.clipped} advantages outside the bins, per bin {statistics.bins}",
    ]
    if settings.minimum_trust:
        parts.append(f"{statistics.distrusted} not trusted")
    if settings.guided_chunks:
        parts.append(f"{statistics.episodes_ended_well} of {statistics.episodes} imagined episodes ended well")
    if settings.guided_chunks and settings.rehearse:
        parts.append(f"{statistics.episodes_alone} without being led, {statistics.episodes_corrected} corrected")
    if settings.passed_over:
        parts.append(f"{statistics.passed_over} candidates that were passed over")
    return ", ".join(parts)


def keep_best(best: BestPolicy, directory: Path) -> None:
    """The policy of the best trial becomes that of the run."""
    for file in best.best.iterdir():
        shutil.copy2(file, directory / file.name)
    chosen = max(best.trials, key=lambda trial: trial.successes)
    print(f"self_improve: the policy of step {chosen.step} is kept: {chosen.successes} of {chosen.episodes} succeed")


def simulated_task(args: Args, episodes: EpisodeSet) -> TaskSetting:
    """What the simulator runs: the task of the bags."""
    return TaskSetting.of(recorded_task(episodes), args.level, args.bricks)


def build_world_model(args: Args, episodes: EpisodeSet, device: torch.device) -> WorldModel:
    """The world model asked for."""
    settings, chosen = args.training, args.world_model
    if chosen != "learned" and settings.chunks_per_start > 1 and not settings.guided_chunks:
        raise ConfigError("the simulator cannot go on from imagined frames; use --training.chunks-per-start 1")
    if chosen in ("simulator", "simulated_frames") and settings.minimum_trust:
        raise ConfigError("minimum_trust is for imagined frames; what the simulator does needs no trust")

    def simulator(judge: Judge | None = None) -> SimulatedWorldModel:
        task, judged = simulated_task(args, episodes), settings.judged_frames
        return SimulatedWorldModel(episodes, task, judge, judged_frames=judged, workers=args.threads)

    if chosen == "simulator":
        return simulator()
    if chosen == "simulated_frames":
        return simulator(LearnedWorldModel(args.out, episodes.contract).to(device).judge)
    learned = LearnedWorldModel(
        args.out,
        episodes.contract,
        dynamics_steps=settings.dynamics_steps,
        trust=TrustConfig() if settings.minimum_trust else None,
        workers=args.threads if device.type == "cpu" else 1,
    ).to(device)
    return learned if chosen == "learned" else ImaginedFrames(learned, simulator())


def forget(directory: Path) -> None:
    """What an earlier run of the same name has left that this one would take for its own; the first process does."""
    if distributed.is_main():
        for name in (BINS, TRIALS):
            (directory / name).unlink(missing_ok=True)
        shutil.rmtree(directory / "best", ignore_errors=True)


def refit_once(loop: SelfImprovementLoop, run: RunDirectory) -> None:
    """Bins of the first start of this run; a resumed run reads them: its policy is no longer the starting one."""
    stored = run.path / BINS
    if stored.exists():
        loop.bins = AdvantageBins(**json.loads(stored.read_text()))
    else:
        loop.refit_bins(states=PILOT_STATES)
        write_json(stored, loop.bins)


def main() -> None:
    cli.run(lambda: train(cli.parse(Args.from_preset, PRESET_NAMES)))


if __name__ == "__main__":
    main()
