"""The pi0.5-style policy at a size for two cores, random weights, against the same network without shared prefixes."""

from __future__ import annotations

import copy
import dataclasses
import time

import numpy as np
import torch

from rise_learning.benchmarks.measure import Measurement, race
from rise_learning.benchmarks.models import latencies, offline_samples
from rise_learning.benchmarks.workload import Workload
from rise_learning.policy.config import Pi05PolicyConfig
from rise_learning.policy.interface import PolicyInput
from rise_learning.policy.pi05_policy import Pi05Policy
from rise_learning.training.policy_training import fit_config, new_policy
from rise_worldmodel.pi05.config import Pi05Config

ARCHITECTURE = Pi05Config(
    resolution=112, patch=14, vision_width=128, vision_layers=2, vision_heads=4, vision_mlp=256,
    width=128, mlp=256, layers=4, heads=4, kv_heads=1, head_dim=32, vocabulary=260,
    expert_width=128, expert_mlp=256,
)  # fmt: skip
"""Three views of 64 tokens each."""
INFERENCES, TRAIN_STEPS, BATCH, DRAWS = 30, 4, 8, 4
FLOW_STEPS = 10
"""Euler steps of the chunk, as in the preset `paper`."""


def transformer_inference(workload: Workload) -> list[Measurement]:
    """One observation to one chunk: prefix read once, against prefix read at every Euler step; and where time goes."""
    policy, inputs, _ = small_policy(workload, 1)
    policy.eval()
    noise = torch.randn(1, policy.config.basis_size)
    with torch.inference_mode():
        ours, theirs, reading = race(
            lambda: policy.sample(inputs, noise, steps=FLOW_STEPS),
            lambda: sample_without_cache(policy, inputs, noise, FLOW_STEPS),
            lambda: policy.read(inputs, inputs.bins),
            rounds=INFERENCES,
            warmup=2,
            budget_s=15.0,
            clock=time.perf_counter,
        )
    what, name = f"latency of {FLOW_STEPS} Euler steps", "the prefix read at every Euler step"
    prefix, whole = (1e3 * float(np.median(times)) for times in (reading, ours))
    rest = max(whole - prefix, 0.0)
    return [
        *latencies(what, ours, theirs, alternative=name),
        Measurement("of it images and prompt", "ms", prefix, "Euler steps", rest, "lower", len(ours)),
    ]


def transformer_training(workload: Workload) -> list[Measurement]:
    """Forward and backward: noise draws that share one prefix, against as many samples each with its own."""
    policy, inputs, chunks = small_policy(workload, BATCH)
    alone = copy.deepcopy(policy.train())
    alone.config = dataclasses.replace(alone.config, draws=1)
    policy.config = dataclasses.replace(policy.config, draws=DRAWS)

    def shared() -> None:
        policy.loss(inputs, chunks).mean().backward()

    def each_its_own() -> None:
        for _ in range(DRAWS):
            alone.loss(inputs, chunks).mean().backward()

    ours, theirs = (BATCH * DRAWS / float(np.median(times)) for times in race(shared, each_its_own, rounds=TRAIN_STEPS))
    name = f"training samples, {DRAWS} noise draws a prefix"
    return [Measurement(name, "1/CPU s", ours, "a prefix for each", theirs, "higher", TRAIN_STEPS)]


def sample_without_cache(policy: Pi05Policy, inputs: PolicyInput, noise: torch.Tensor, steps: int) -> torch.Tensor:
    """(B, K, A) as `Pi05Policy.sample` without guidance, the whole network at every step."""
    current = noise.unflatten(1, (policy.config.chunk_size, -1))
    for index in range(steps):
        moment = torch.full((len(current),), 1 - index / steps)
        prefix = policy.read(inputs, inputs.bins)
        current = current - policy.model.velocity(prefix, current, moment, inputs.bins) / steps
    return policy.normalizer.denormalize(current[..., : policy.config.action_dim])


def small_policy(workload: Workload, count: int) -> tuple[Pi05Policy, PolicyInput, torch.Tensor]:
    """A policy of `ARCHITECTURE` for the workload's robot, not trained, and `count` observations with their chunks."""
    samples = offline_samples(workload)
    config = Pi05PolicyConfig(architecture=ARCHITECTURE, weights="random")
    policy = new_policy(fit_config(config, workload.contract, workload.preset.image_size), samples, seed=0)
    assert isinstance(policy, Pi05Policy)
    inputs, chunks = samples.batch(np.random.default_rng(0), count, policy.config.history)
    return policy, inputs, chunks
