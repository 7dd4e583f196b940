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
from synthetic import make_set, small_policy_config
from test_label_path import BINS, JudgeAlike

from rise_learning.presets import SelfImprovement
from rise_learning.rl.self_improvement import SelfImprovementLoop
from rise_learning.training.loop import LoopConfig, Trainer, step_rng
from rise_learning.training.policy_training import OfflineSamples, new_policy
from rise_learning.training.run_directory import RunDirectory

EPISODES = make_set()
SAMPLES = OfflineSamples.all_frames(EPISODES, np.full(len(EPISODES), 10))
CONFIG = LoopConfig(steps=4, batch_size=8, warmup_steps=1, min_lr_ratio=1.0, checkpoint_every=2, log_every=1)
SHORT = dataclasses.replace(CONFIG, steps=2)
SHARDED = dataclasses.replace(CONFIG, shard_optimizer=True)


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
    for name, configs in {"loop_straight": [CONFIG], "loop_resumed": [SHORT, CONFIG]}.items():
        for config in configs:
            trainer, loop = improve(out / name, config)
            trainer.run(name)
        buffered = loop.buffer.state()["chunks"].double().sum().item()
        found = {"buffered": buffered, "statistics": vars(loop.statistics)}
        (out / f"{name}_{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.environ["RANK"])
