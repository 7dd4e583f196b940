"""Train the action-conditioned multi-view dynamics model from bags (Sec. III-A, XI-B); it goes to OUT/dynamics.

Starts from the pre-trained base that ships with the project where it fits the contract; --base none: from scratch.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from rise_learning import cli
from rise_learning.data.dynamics_inputs import DynamicsInputs, Told
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.errors import DataError
from rise_learning.presets import PRESET_NAMES, DynamicsModel, DynamicsTraining, GeBaseModel, get_preset
from rise_learning.training import distributed
from rise_learning.training.base import find_base
from rise_learning.training.loop import Trainer, step_seed
from rise_learning.training.published import published_directory
from rise_learning.training.run_directory import RunDirectory, to_plain, write_json
from rise_learning.training.world_model_io import save_trained
from rise_robot.core.contract import Contract
from rise_robot.sim.control_maps import can_draw
from rise_worldmodel.batching import TaskCentricSampler
from rise_worldmodel.config import DynamicsConfig, LtxVaeConfig, paper_dynamics
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.ltx_vae import vae_config
from rise_worldmodel.metrics import dynamics_report

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Args:
    """Flags of train_dynamics."""

    bags: tuple[Path, ...] = tyro.MISSING
    """Bags, or directories of bags."""
    out: Path = tyro.MISSING
    """Run directory; the model goes to OUT/dynamics."""
    preset: str = "tiny"
    base: str = "auto"
    """Pre-trained dynamics to start from: auto (the shipped one where it fits), none, or a directory."""
    seed: int = 0
    threads: int = 2
    training: DynamicsTraining = dataclasses.field(default_factory=DynamicsTraining)

    @classmethod
    def from_preset(cls, name: str) -> Args:
        return cls(preset=name, training=get_preset(name).dynamics)


class DynamicsObjective:
    """Flow-matching loss on complete recorded chunks, task-centric batches."""

    def __init__(self, model: MultiViewDynamics, inputs: DynamicsInputs, episodes: EpisodeSet, args: Args) -> None:
        self.model, self.inputs, self.episodes, self.seed = model, inputs, episodes, args.seed
        self.complete = complete_chunks(episodes)
        tasks = [episodes.episodes[number].task for number in episodes.episode_of[self.complete]]
        settings = args.training
        self.unexplained_weight = settings.unexplained_weight
        self.sampler = TaskCentricSampler(
            tasks, settings.loop.local_batch_size, tasks_per_batch=settings.tasks_per_batch, seed=args.seed
        )

    def __call__(self, step: int) -> dict[str, Tensor]:
        g = self.complete[self.sampler.batch(distributed.draw_number(step))]
        generator = torch.Generator().manual_seed(step_seed(self.seed, step))
        context, future, told = clip(self.episodes, g, self.inputs)
        return self.model.loss(
            context,
            future,
            told.actions,
            told.state,
            maps=told.maps,
            unexplained_weight=self.unexplained_weight,
            generator=generator,
        )


def complete_chunks(episodes: EpisodeSet) -> np.ndarray:
    """Frames whose whole chunk was recorded. Raises DataError where there are none."""
    everything = np.arange(len(episodes))
    complete = everything[episodes.frames_left(everything) >= episodes.contract.frames_per_chunk]
    if not len(complete):
        raise DataError(f"no episode is longer than one chunk ({episodes.contract.frames_per_chunk} frames)")
    return complete


def clip(episodes: EpisodeSet, g: np.ndarray, inputs: DynamicsInputs) -> tuple[Tensor, Tensor, Told]:
    """Context and future frames of chunks that start at frames g, and what the dynamics are told of the chunks."""
    contract = episodes.contract
    return (
        torch.from_numpy(episodes.context(g, contract.context_frames)),
        torch.from_numpy(episodes.frames[episodes.future_index(g, contract.frames_per_chunk)]),
        inputs(torch.from_numpy(episodes.state[episodes.step_of[g]]), torch.from_numpy(episodes.chunk(g))),
    )


def new_dynamics(
    episodes: EpisodeSet,
    image_size: tuple[int, int],
    seed: int,
    choice: DynamicsModel | None = None,
    *,
    control_maps: bool = True,
) -> tuple[MultiViewDynamics, DynamicsInputs]:
    """Dynamics for the contract of `episodes`, with codec and conditions fitted to them, or published weights.

    Args:
        control_maps: where the cell of the contract is known; published dynamics go without.
    """
    contract = episodes.contract
    torch.manual_seed(seed)
    if isinstance(choice, GeBaseModel):
        model = published_dynamics(choice, contract, image_size)
    else:
        model = MultiViewDynamics(
            DynamicsConfig(
                views=len(contract.cameras),
                height=image_size[0],
                width=image_size[1],
                action_dim=contract.action_dim,
                chunk_size=contract.chunk_size,
                future_frames=contract.frames_per_chunk,
                context_frames=contract.context_frames,
                control_maps=control_maps and can_draw(contract),
            )
        )
    inputs = DynamicsInputs.fit(episodes, model.config)
    g = np.random.default_rng(seed).permutation(complete_chunks(episodes))[:512]
    model.fit_codec(torch.from_numpy(episodes.frames[episodes.future_index(g, contract.frames_per_chunk)]))
    return model, inputs


def published_dynamics(choice: GeBaseModel, contract: Contract, image_size: tuple[int, int]) -> MultiViewDynamics:
    """GE-Base and LTX-Video's VAE, from the directories that `choice` names. Raises ConfigError or CheckpointError."""
    weights = published_directory(choice.ge_base, "--training.model.ge-base", "GE-Base (Genie Envisioner)")
    vae = published_directory(choice.vae, "--training.model.vae", "the folder `vae` of LTX-Video")
    config = paper_dynamics(
        contract.action_dim,
        views=len(contract.cameras),
        chunk_size=contract.chunk_size,
        future_frames=contract.frames_per_chunk,
        vae=LtxVaeConfig() if vae is None else vae_config(vae),
    )
    sizes = {
        name: getattr(choice, name) for name in ("heads", "head_dim", "layers", "caption_channels", "checkpointing")
    }
    config = dataclasses.replace(
        config, height=image_size[0], width=image_size[1], context_frames=contract.context_frames, **sizes
    )
    model = MultiViewDynamics(config)
    for directory, load in ((weights, model.load_transformer), (vae, model.load_vae)):
        if directory is not None:
            logger.info("%s: %s", directory, load(directory))
    return model


def train(args: Args) -> None:
    """Train, report on held-out episodes, and write the EMA model."""
    cli.use_threads(args.threads)
    settings, size = args.training, get_preset(args.preset).image_size
    episodes = load_bags(list(args.bags), size)
    training, held_out = episodes.split(settings.held_out, args.seed)
    chosen = np.random.default_rng(args.seed).permutation(complete_chunks(held_out))[: settings.reported_chunks]
    base = find_base(args.base, episodes.contract, size)
    choice = settings.model
    model, inputs = base or new_dynamics(training, size, args.seed, choice, control_maps=settings.control_maps)
    run = RunDirectory(args.out / "dynamics")
    run.save_config(args=args, model=model.config, from_base=base is not None)
    loop = dataclasses.replace(settings.loop, seed=args.seed)
    fingerprint = {"contract": episodes.contract.digest, "model": to_plain(model.config), "frames": len(training)}
    objective = DynamicsObjective(model, inputs, training, args)
    trainer = Trainer(model, objective, loop, run, fingerprint=fingerprint)
    averaged = trainer.run("dynamics")
    assert isinstance(averaged, MultiViewDynamics)
    if not distributed.is_main():
        return
    save_trained(run.path, averaged, episodes.contract, **inputs.texts())
    context, future, told = clip(held_out, chosen, inputs)
    metrics = dynamics_report(averaged, context, future, told.actions, told.state, maps=told.maps, seed=args.seed)
    write_json(run.path / "held_out.json", metrics)
    print("dynamics on held-out chunks: " + ", ".join(f"{name} {value:.2f}" for name, value in metrics.items()))


def main() -> None:
    cli.run(lambda: train(cli.parse(Args.from_preset, PRESET_NAMES)))


if __name__ == "__main__":
    main()
