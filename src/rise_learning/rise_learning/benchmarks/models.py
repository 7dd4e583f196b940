"""Inference and training of the policy on random weights: time does not depend on their values."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from rise_learning.benchmarks.measure import Measurement, race
from rise_learning.benchmarks.workload import Workload
from rise_learning.evaluation.agent import DeploymentConfig, sample_once
from rise_learning.policy.interface import Policy
from rise_learning.training.ema import Ema
from rise_learning.training.policy_training import OfflineSamples, new_policy, view_groups

INFERENCES, TRAIN_STEPS = 100, 6


def offline_samples(workload: Workload) -> OfflineSamples:
    return OfflineSamples.all_frames(workload.episodes, np.full(len(workload.episodes), 10))


def new_tiny_policy(workload: Workload, samples: OfflineSamples) -> Policy:
    """The preset's policy, not trained."""
    contract = workload.contract
    config = dataclasses.replace(
        workload.preset.policy.policy,
        action_dim=contract.action_dim,
        chunk_size=contract.chunk_size,
        view_groups=view_groups(contract.camera_names),
        image_size=workload.preset.image_size,
    )
    return new_policy(config, samples, seed=0)


def inference(workload: Workload) -> list[Measurement]:
    """One observation to one chunk, as deployed (float32), and with bfloat16 autocast."""
    samples, rng, config = offline_samples(workload), np.random.default_rng(0), DeploymentConfig()
    policy = new_tiny_policy(workload, samples).eval()
    inputs, _ = samples.batch(rng, 1, policy.config.history)

    def half() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            sample_once(policy, inputs, rng, config)

    times = race(
        lambda: sample_once(policy, inputs, rng, config),
        half,
        rounds=INFERENCES,
        warmup=3,
        budget_s=15.0,
        clock=time.perf_counter,
    )
    return latencies("latency", *times, alternative="the same under bfloat16 autocast")


def latencies(what: str, ours: np.ndarray, theirs: np.ndarray, *, alternative: str) -> list[Measurement]:
    """Median and 99th percentile of times (R,) s of an inference and of its alternative."""
    rows = []
    for rank in (50, 99):
        value, other = (1e3 * float(np.percentile(times, rank)) for times in (ours, theirs))
        rows.append(Measurement(f"{what} p{rank}", "ms", value, alternative, other, "lower", len(ours)))
    return rows


def train_step(workload: Workload) -> list[Measurement]:
    """Batch, loss, gradients, AdamW and EMA in the arithmetic of the preset, and all in float32."""
    samples = offline_samples(workload)
    policy = new_tiny_policy(workload, samples)
    steps = [policy_step(workload, samples, policy, bfloat16=bfloat16) for bfloat16 in (True, False)]
    ours, theirs = race(*steps, rounds=TRAIN_STEPS, budget_s=15.0)
    value, other = (float(np.median(times)) * 1e3 for times in (ours, theirs))
    name = f"train step, batch {workload.preset.policy.loop.batch_size}"
    return [Measurement(name, "CPU ms", value, "the same in float32", other, "lower", len(ours))]


def policy_step(workload: Workload, samples: OfflineSamples, fresh: Policy, *, bfloat16: bool) -> Callable[[], None]:
    """One optimizer step of a copy of `fresh`, as `training.loop.Trainer` makes it."""
    loop = workload.preset.policy.loop
    policy, rng = copy.deepcopy(fresh).train(), np.random.default_rng(0)
    policy.config = dataclasses.replace(policy.config, bfloat16=bfloat16)
    ema = Ema(policy, loop.ema_decay)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=loop.learning_rate, betas=loop.betas, fused=True)

    def step() -> None:
        loss = policy.loss(*samples.batch(rng, loop.batch_size, policy.config.history)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), loop.clip_norm)
        optimizer.step()
        ema.update(policy, 0)

    return step
