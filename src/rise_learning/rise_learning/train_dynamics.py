"""Train the action-conditioned multi-view dynamics model from bags (Sec. III-A, XI-B); it goes to OUT/dynamics.

Starts from the pre-trained base that ships with the project where it fits contract and model, or from that of --base;
pre-training is this command, too, on the bags of many tasks (docs/guide.md). --architecture trains a peer of Table V on
the same data. Ablations: --no-pretrain, --no-task-centric, --no-actions, --no-control-maps.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from rise_learning import cli
from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.errors import ConfigError, DataError
from rise_learning.model_choices import ARCHITECTURES, Architecture, DynamicsModel, PatchModel, peer_model
from rise_learning.presets import PRESET_NAMES, get_preset
from rise_learning.rl.imagination import recorded_starts
from rise_learning.training import distributed
from rise_learning.training.base import SHIPPED, begin_with, find_base
from rise_learning.training.chain import Chain
from rise_learning.training.checkpoint import has_checkpoint
from rise_learning.training.dynamics_models import new_model, small_config
from rise_learning.training.fingerprint import fingerprint
from rise_learning.training.learned_from import LearnedFrom
from rise_learning.training.loop import Trainer, step_rng, step_seed
from rise_learning.training.own_contexts import OwnContexts
from rise_learning.training.run_directory import RunDirectory, write_json
from rise_learning.training.world_model_io import STEPS_KEY, load_value, save_trained
from rise_learning.training_settings import DynamicsTraining
from rise_worldmodel.batching import TaskCentricSampler
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.dynamics_report import dynamics_report
from rise_worldmodel.first_guess import fit_first_guess
from rise_worldmodel.told import Told
from rise_worldmodel.value_consistency import ValueConsistency

GUESSED_CLIPS = 384
"""Chunks that the first guess is fitted to."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Args:
    """Flags of train_dynamics."""

    bags: tuple[Path, ...] = tyro.MISSING
    """Bags, or directories of bags."""
    out: Path = tyro.MISSING
    """Run directory; the model goes to OUT/dynamics."""
    preset: str = "tiny"
    architecture: Architecture = "rise"
    """Ours, or a peer of Table V: Genie Envisioner as published (no actions), Cosmos-Predict."""
    base: str = "auto"
    """Pre-trained dynamics to start from: auto (the shipped one where it fits), none, or a directory."""
    begin_with: Path | None = None
    """Dynamics of another robot whose attention and feed-forward layers a new model begins with; codec, cameras and
    actions are its own."""
    pretrain: bool = True
    """Start from --base; without it from scratch (or, at the paper's size, from the published weights alone)."""
    task_centric: bool = True
    """Every batch from few tasks (--training.tasks-per-batch); without it all tasks are mixed."""
    actions: bool = True
    """Condition on actions through our action encoder; without it on the context frames alone."""
    control_maps: bool = True
    """Condition on drawn control maps where the cell of the contract is known (the simulated one)."""
    map_objects: bool = False
    """Control maps also show the objects of the last frame, where the belt brings them."""
    object_size: tuple[float, float, float] | None = None
    """m along the belt, across it and high, where all objects are boxes of one size: drawn as such, instead of as what
    the last frame shows of them."""
    seed: int = 0
    threads: int = 2
    training: DynamicsTraining = dataclasses.field(default_factory=DynamicsTraining)

    @classmethod
    def from_preset(cls, name: str, architecture: Architecture = "rise") -> Args:
        training = get_preset(name).dynamics
        training = dataclasses.replace(training, model=peer_model(training.model, architecture))
        return cls(preset=name, architecture=architecture, training=training)

    @property
    def ablations(self) -> tuple[str, ...]:
        """Flags that take something away, as on the command line."""
        off = {
            "--no-pretrain": self.pretrain,
            "--no-task-centric": self.task_centric,
            "--no-actions": self.actions,
            "--no-control-maps": self.control_maps,
        }
        return tuple(flag for flag, kept in off.items() if not kept)


class DynamicsObjective:
    """Flow-matching loss on complete recorded chunks, task-centric batches."""

    def __init__(
        self,
        model: MultiViewDynamics,
        inputs: DynamicsInputs,
        episodes: EpisodeSet,
        args: Args,
        consistency: ValueConsistency | None = None,
    ) -> None:
        self.consistency = consistency
        self.model, self.inputs, self.episodes, self.seed = model, inputs, episodes, args.seed
        self.complete = complete_chunks(episodes)
        tasks = [episodes.episodes[number].task for number in episodes.episode_of[self.complete]]
        settings = args.training
        self.unexplained_weight = settings.unexplained_weight
        self.contexts = OwnContexts(inputs, episodes, settings.imagined_links)
        each = settings.tasks_per_batch if args.task_centric else 0
        self.sampler = TaskCentricSampler(tasks, settings.loop.local_batch_size, tasks_per_batch=each, seed=args.seed)

    def __call__(self, step: int) -> dict[str, Tensor]:
        g = self.complete[self.sampler.batch(step, distributed.draw_part())]
        generator = torch.Generator().manual_seed(step_seed(self.seed, step))
        rng = step_rng(self.seed, step)
        chain, pure = self.contexts.batch(g, rng)
        told = chain.told()
        consistency = None
        if self.consistency is not None:
            consistency = partial(self.consistency, instructions=chain.here.instructions, generator=generator)
        metrics = self.model.loss(
            chain.here.context,
            torch.from_numpy(self.episodes.following(chain.g)),
            told.actions,
            told.state,
            maps=told.maps,
            unexplained_weight=self.unexplained_weight,
            consistency=consistency,
            pure=pure,
            generator=generator,
        )
        if pure:
            maps = None if told.maps is None else told.maps[:pure]
            with torch.no_grad():
                frames = self.model.decode_future(chain.here.context[:pure], metrics.pop("imagined"), maps).cpu()
            self.contexts.imagined(chain.select(np.arange(pure)), frames, rng)
        return metrics


def complete_chunks(episodes: EpisodeSet) -> np.ndarray:
    """Frames whose whole chunk was recorded. Raises DataError where there are none."""
    everything = np.arange(len(episodes))
    complete = everything[episodes.frames_left(everything) >= episodes.contract.frames_per_chunk]
    if not len(complete):
        raise DataError(f"no episode is longer than one chunk ({episodes.contract.frames_per_chunk} frames)")
    return complete


def told_of(episodes: EpisodeSet, g: np.ndarray, inputs: DynamicsInputs, acting: np.ndarray | None = None) -> Told:
    """What the dynamics are told at frames g of the chunks that start there, or of those that start at `acting`."""
    here = recorded_starts(episodes, g)
    chunks = torch.from_numpy(episodes.chunk(g if acting is None else acting))
    return inputs(here.state, chunks, here.instructions, here.last_recorded)


def clip(episodes: EpisodeSet, g: np.ndarray, inputs: DynamicsInputs) -> tuple[Tensor, Tensor, Told]:
    """Context and future frames of chunks that start at frames g, and what the dynamics are told of the chunks."""
    chain = Chain.begin(inputs, episodes, g)
    return chain.here.context, torch.from_numpy(episodes.following(g)), chain.told()


def new_dynamics(
    episodes: EpisodeSet,
    image_size: tuple[int, int],
    seed: int,
    choice: DynamicsModel | None = None,
    *,
    actions: bool = True,
    control_maps: bool = True,
) -> tuple[MultiViewDynamics, DynamicsInputs]:
    """Dynamics for the contract of `episodes`, with codec and conditions fitted to them, or published weights.

    Args:
        choice, actions, control_maps: as for `new_model`.
    """
    contract = episodes.contract
    torch.manual_seed(seed)
    choice = choice or PatchModel()
    texts = sorted(set(episodes.instructions))
    model = new_model(choice, contract, image_size, texts, actions=actions, control_maps=control_maps)
    inputs = DynamicsInputs.fit(episodes, model.config)
    g = np.random.default_rng(seed).permutation(complete_chunks(episodes))[:512]
    model.fit_codec(torch.from_numpy(episodes.following(g)))
    return model, inputs


def guess_first(model: MultiViewDynamics, inputs: DynamicsInputs, episodes: EpisodeSet, seed: int) -> None:
    """Where dynamics with control maps begin to learn (`fit_first_guess`); others begin with the last frame."""
    if model.drawn is None:
        return
    g = np.random.default_rng(seed).permutation(complete_chunks(episodes))[:GUESSED_CLIPS]
    context, future, told = clip(episodes, g, inputs)
    assert told.maps is not None
    fit_first_guess(model, context, future, told.maps)


def starting_point(
    args: Args, episodes: EpisodeSet, size: tuple[int, int]
) -> tuple[MultiViewDynamics, DynamicsInputs, Path | None]:
    """The base, where one is wanted and of the kind that the flags ask for, else a new model; and where it comes from.

    Raises:
        ConfigError: the directory of --base holds another kind, or --no-pretrain contradicts it.
    """
    if not args.pretrain and args.base not in ("auto", "none"):
        raise ConfigError(f"--no-pretrain and --base {args.base} contradict each other; leave one of them out")
    choice, contract = args.training.model, episodes.contract
    chosen = {"actions": args.actions, "control_maps": args.control_maps}
    wanted = small_config(choice, contract, size, **chosen)
    if args.begin_with is not None:
        if args.base not in ("auto", "none") or not args.pretrain:
            raise ConfigError("--begin-with makes a new model: leave out --base and --no-pretrain")
        model, inputs = new_dynamics(episodes, size, args.seed, choice, **chosen)
        logger.info("%d parameters of %s", begin_with(args.begin_with, model), args.begin_with)
        return model, inputs, args.begin_with
    base = find_base(args.base if args.pretrain else "none", contract, size, wanted)
    if base:
        return (*base, SHIPPED / "dynamics" if args.base == "auto" else Path(args.base))
    return (*new_dynamics(episodes, size, args.seed, choice, **chosen), None)


def held_out_report(
    model: MultiViewDynamics, inputs: DynamicsInputs, episodes: EpisodeSet, g: np.ndarray, seed: int, *, steps: int = 1
) -> dict[str, float]:
    """`dynamics_report` of the chunks that start at frames g of episodes that no training read."""
    context, future, told = clip(episodes, g, inputs)
    other = told_of(episodes, g, inputs, acting=np.roll(g, 1))
    return dynamics_report(
        model, context, future, told.actions, told.state, maps=told.maps, other=other, steps=steps, seed=seed
    )


def train(args: Args) -> None:
    """Train, report on held-out episodes that the base has not read either, and write the EMA model."""
    cli.use_threads(args.threads)
    settings, size = args.training, get_preset(args.preset).image_size
    training, held_out = load_bags(list(args.bags), size).split(settings.held_out, args.seed)
    model, inputs, from_base = starting_point(args, training, size)
    inputs = inputs.of_robot(training)
    if args.object_size is not None and not args.map_objects:
        raise ConfigError("--object-size says how objects are drawn into control maps; it needs --map-objects")
    if args.map_objects:
        inputs = inputs.showing_objects(training, args.seed, args.object_size)
        logger.info("the belt runs at %.3f m/s", inputs.belt_speed)
    run = RunDirectory(args.out / "dynamics")
    if (from_base is None or args.begin_with is not None) and not has_checkpoint(run.checkpoints):
        guess_first(model, inputs, training, args.seed)
    models = {"base": from_base} if from_base else {}
    loop = dataclasses.replace(settings.loop, seed=args.seed)
    consistency = None
    if settings.value_weight:
        models["value"] = args.out / "value"
        value = load_value(models["value"], training.contract).to(distributed.start(loop.device))
        consistency = ValueConsistency(value, settings.value_weight)
    objective = DynamicsObjective(model, inputs, training, args, consistency)
    mark = fingerprint(training, model.config, args, models)
    trainer = Trainer(model, objective, loop, run, fingerprint=mark, extra_state=objective.contexts.state)
    objective.contexts.restore(trainer.resumed_extra)
    run.save_config(args=args, model=model.config, from_base=from_base is not None, ablations=args.ablations)
    LearnedFrom.of(training, models.values()).write(run.path)
    averaged = trainer.run("dynamics")
    assert isinstance(averaged, MultiViewDynamics)
    if not distributed.is_main():
        return
    steps = get_preset(args.preset).self_improvement.dynamics_steps
    save_trained(run.path, averaged, training.contract, **inputs.texts(), **{STEPS_KEY: str(steps)})
    unread = held_out.without(LearnedFrom.read(from_base).episodes) if from_base else held_out
    if unread is None:
        logger.warning("%s has read all that was held out: nothing says how good these dynamics are", from_base)
        return
    chosen = np.random.default_rng(args.seed).permutation(complete_chunks(unread))[: settings.reported_chunks]
    metrics = held_out_report(averaged, inputs, unread, chosen, args.seed, steps=steps)
    write_json(run.path / "held_out.json", metrics)
    print("dynamics on held-out chunks: " + ", ".join(f"{name} {value:.2f}" for name, value in metrics.items()))


def main() -> None:
    cli.run(lambda: train(cli.parse(Args.from_preset, PRESET_NAMES, architecture=ARCHITECTURES)))


if __name__ == "__main__":
    main()
