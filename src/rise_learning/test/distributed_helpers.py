"""One process of a distributed training: `python distributed_helpers.py OUT`, under torchrun or its environment."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from synthetic import SIZE, make_set, small_policy_config
from test_label_path import BINS, JudgeAlike

from rise_learning import train_dynamics, train_value
from rise_learning.model_choices import PatchModel
from rise_learning.rl.self_improvement import SelfImprovementLoop
from rise_learning.training import distributed
from rise_learning.training.loop import LoopConfig, Trainer, step_rng
from rise_learning.training.policy_training import OfflineSamples, new_policy
from rise_learning.training.run_directory import RunDirectory
from rise_learning.training.sharding import whole
from rise_learning.training_settings import DynamicsTraining, SelfImprovement, ValueTraining

EPISODES = make_set()
SAMPLES = OfflineSamples.all_frames(EPISODES, np.full(len(EPISODES), 10))
CONFIG = LoopConfig(steps=4, batch_size=8, warmup_steps=1, min_lr_ratio=1.0, checkpoint_every=2, log_every=1)
SHORT = dataclasses.replace(CONFIG, steps=2)
SHARDED = dataclasses.replace(CONFIG, shard_optimizer=True)
FULLY = dataclasses.replace(CONFIG, shard_parameters=True)


def imitate(path: Path, config: LoopConfig) -> Trainer:
    """Imitation with a small policy; goes on from a checkpoint in `path`."""
    policy = new_policy(small_policy_config(EPISODES.contract, bfloat16=False), SAMPLES, 0)

    def loss(step: int) -> dict[str, torch.Tensor]:
        inputs, chunks = SAMPLES.batch(step_rng(0, step), config.local_batch_size, policy.config.history)
        return {"loss": policy.loss(inputs, chunks).mean()}

    return Trainer(policy, loss, config, RunDirectory(path), fingerprint={})


def improve(path: Path, config: LoopConfig) -> tuple[Trainer, SelfImprovementLoop]:
    """Self-improvement in a world model that finds everything mediocre."""
    policy = new_policy(small_policy_config(EPISODES.contract), SAMPLES, 0)
    settings = SelfImprovement(loop=config, starts_per_rollout=3, rollout_every=2, buffer_size=10)
    loop = SelfImprovementLoop(policy, JudgeAlike(), SAMPLES, BINS, settings, seed=0)
    hooks = {"before_step": loop.before_step, "extra_state": loop.state}
    trainer = Trainer(policy, loop.loss, config, RunDirectory(path), fingerprint={}, **hooks)
    loop.restore(trainer.resumed_extra)
    loop.rollout_policy = trainer.ema.module
    return trainer, loop


def dynamics_trainer(path: Path, config: LoopConfig) -> Trainer:
    """Ours on made-up episodes, with blocks that FSDP shares out."""
    torch.manual_seed(0)
    args = train_dynamics.Args(bags=(), out=path, training=DynamicsTraining(loop=config))
    model, inputs = train_dynamics.new_dynamics(EPISODES, SIZE, 0, PatchModel(heads=2, layers=2, channels=16, patch=8),
                                                control_maps=False)  # fmt: skip
    objective = train_dynamics.DynamicsObjective(model, inputs, EPISODES, args)
    return Trainer(model, objective, config, RunDirectory(path), fingerprint={})


def value_trainer(path: Path, config: LoopConfig) -> Trainer:
    """The value model with targets from the average of its weights."""
    settings, rubric = ValueTraining(loop=config, progress_only_share=0.0), EPISODES.rubric_classes()
    model = train_value.new_value(EPISODES, rubric, settings, SIZE, 0)
    objective = train_value.ValueObjective(model, EPISODES, rubric, settings, 0)
    trainer = Trainer(model, objective, config, RunDirectory(path), fingerprint={})
    objective.target = trainer.ema.module
    return trainer


def world_model(out: Path, rank: str) -> None:
    """Dynamics and value, shared out and not, accumulating in between."""
    for name, make in {"dynamics": dynamics_trainer, "value": value_trainer}.items():
        for kind, config in {"whole": CONFIG, "shared": dataclasses.replace(CONFIG, shard_parameters=True)}.items():
            config = dataclasses.replace(config, steps=2, accumulate=2)
            trainer = make(out / f"{name}_{kind}", config)
            averaged = trainer.run(name)
            save_file({key: tensor.clone() for key, tensor in averaged.state_dict().items()},
                      out / f"{name}_{kind}_{rank}.safetensors")  # fmt: skip


def main(out: Path, rank: str) -> None:
    """Straight runs and resumed ones; leaves weights and counters of this rank."""
    torch.set_num_threads(1)
    for name, configs in {
        "straight": [CONFIG], "resumed": [SHORT, CONFIG], "sharded": [dataclasses.replace(SHARDED, steps=2), SHARDED],
    }.items():  # fmt: skip
        for config in configs:
            trainer = imitate(out / name, config)
            trainer.run(name)
        weights = {key: tensor.clone() for key, tensor in trainer.module.state_dict().items()}
        save_file(weights, out / f"{name}_{rank}.safetensors")
    for name, configs in {"fully": [FULLY], "fully_resumed": [dataclasses.replace(FULLY, steps=2), FULLY]}.items():
        for config in configs:
            trainer = imitate(out / name, config)
            averaged = trainer.run(name)
        kept = sum(parameter.to_local().numel() for parameter in trainer.module.parameters())
        (out / f"{name}_{rank}.json").write_text(json.dumps(kept))
        weights = {**whole(trainer.module.state_dict()), **{f"ema.{k}": t for k, t in averaged.state_dict().items()}}
        save_file({key: tensor.detach().contiguous().clone() for key, tensor in weights.items()},
                  out / f"{name}_{rank}.safetensors")  # fmt: skip
    world_model(out, rank)
    for name, configs in {"loop_straight": [CONFIG], "loop_resumed": [SHORT, CONFIG]}.items():
        for config in configs:
            trainer, loop = improve(out / name, config)
            trainer.run(name)
        buffered = loop.buffer.state()["chunks"].double().sum().item()
        found = {"buffered": buffered, "statistics": vars(loop.statistics)}
        (out / f"{name}_{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.environ["RANK"])
    distributed.leave()
