"""What imagining costs, on random weights: against a plain diffusion loop, and as batch, steps and views grow."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch

from rise_learning.benchmarks.measure import Measurement, race
from rise_learning.benchmarks.models import latencies, new_tiny_policy, offline_samples
from rise_learning.benchmarks.workload import Workload
from rise_learning.evaluation.agent import DeploymentConfig, sample_once
from rise_learning.train_dynamics import clip, complete_chunks, new_dynamics, told_of
from rise_worldmodel.config import tiny_dynamics, tiny_value
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.told import Told
from rise_worldmodel.value import ValueModel
from rise_worldmodel.world_model import CompositionalWorldModel

CHUNKS = 16
"""Chunks imagined in one batch."""
CANDIDATES = 8
"""Chunks among which the world model chooses at run time."""
PAPER_STEPS = 50
"""Euler steps of the dynamics in the paper (Table IX)."""
BATCHES, STEPS, VIEWS = (4, 16), (4, 10), (2, 3)
"""Grown from 1."""


class ImaginationBench:
    """The tiny world model, not trained, and CHUNKS recorded chunks for it."""

    def __init__(self, workload: Workload) -> None:
        episodes = workload.episodes
        dynamics, inputs = new_dynamics(episodes, workload.preset.image_size, seed=0)
        value = ValueModel(tiny_value(views=len(workload.contract.cameras)))
        self.model = CompositionalWorldModel(dynamics, value, steps=workload.preset.self_improvement.dynamics_steps)
        g = np.random.default_rng(0).choice(complete_chunks(episodes), CHUNKS)
        self.context, *_ = clip(episodes, g, inputs)
        self.texts = episodes.instructions_of(g)
        self._episodes, self._g, self._inputs = episodes, g, inputs

    def imagine(self, count: int, steps: int) -> None:
        """The first `count` chunks in one batch, frames and values."""
        told = self._told(count)
        self.model.imagine(
            self.context[:count], told.state, told.actions, self.texts[:count],
            maps=told.maps, seeds=range(count), steps=steps,
        )  # fmt: skip

    @torch.no_grad()
    def plain_loop(self, steps: int = PAPER_STEPS) -> None:
        """The same model as a diffusion pipeline is usually called: one sample at a time, in float32.

        All steps, decode, encode the frames again as the next context, and judge frame by frame.
        """
        dynamics, value = self.model.dynamics, self.model.value
        told = self._told(1)
        frames = dynamics.sample(self.context[:1], told.actions, told.state, steps=steps, maps=told.maps)
        dynamics.encode_context(frames[:, -dynamics.config.context_frames :])
        for frame in (self.context[:1, -1], *frames.unbind(1)):
            value(frame, self.texts[:1])

    def _told(self, count: int) -> Told:
        """Control maps are drawn for every chunk that is imagined: they belong to what it costs."""
        return told_of(self._episodes, self._g[:count], self._inputs)


def imagination(workload: Workload) -> list[Measurement]:
    """Imagined and judged chunks: a batch as self-improvement asks for it, chunks one by one, and the plain loop."""
    bench = ImaginationBench(workload)
    steps = bench.model.steps
    batched, alone = race(partial(bench.imagine, CHUNKS, steps), partial(bench.imagine, 1, steps), rounds=5)
    long, plain = race(partial(bench.imagine, 1, PAPER_STEPS), bench.plain_loop, rounds=2, warmup=0)
    rate = CHUNKS / float(np.median(batched))
    name = f"chunks imagined, batch of {CHUNKS}, Euler steps: {steps}"
    others = {
        f"one by one, Euler steps: {steps}": alone,
        f"one by one, Euler steps: {PAPER_STEPS}": long,
        f"plain diffusion loop, {PAPER_STEPS} steps": plain,
    }
    rows = [
        Measurement(name, "1/CPU s", rate, other, 1 / float(np.median(times)), "higher", len(times))
        for other, times in others.items()
    ]
    seconds = "seconds of one imagined chunk, batch of 1"
    mine, theirs = float(np.median(alone)), float(np.median(plain))
    return [
        *rows,
        Measurement(seconds, "CPU s", mine, f"plain diffusion loop, {PAPER_STEPS} steps", theirs, "lower", len(plain)),
    ]


def best_of(workload: Workload) -> list[Measurement]:
    """One observation to one chunk where the world model chooses among CANDIDATES (`--deployment.candidates`)."""
    bench, config = ImaginationBench(workload), DeploymentConfig()
    offered, rng = offline_samples(workload), np.random.default_rng(0)
    policy = new_tiny_policy(workload, offered).eval()
    (alone, _), (several, _) = (offered.batch(rng, count, policy.config.history) for count in (1, CANDIDATES))

    def choose() -> None:
        sample_once(policy, several, rng, config)
        bench.imagine(CANDIDATES, bench.model.steps)

    ours, theirs = race(
        choose, lambda: sample_once(policy, alone, rng, config), rounds=30, budget_s=15.0, clock=time.perf_counter
    )
    return latencies(
        f"latency, the best of {CANDIDATES} in imagination", ours, theirs, alternative="one chunk, unchosen"
    )


def cost(workload: Workload) -> list[Measurement]:
    """Seconds of a chunk as batch, Euler steps and views grow, each beside the smallest."""
    bench = ImaginationBench(workload)
    batches = race(*(partial(bench.imagine, count, 1) for count in (1, *BATCHES)), rounds=3)
    steps = race(*(partial(bench.imagine, 1, count) for count in (1, *STEPS)), rounds=3)
    views = race(*(partial(_sample, _with_views(count)) for count in (1, *VIEWS)), rounds=3)
    rows = []
    for name, counts, times, per in (
        ("batch", BATCHES, batches, (1, *BATCHES)),
        ("Euler steps", STEPS, steps, (1,) * (1 + len(STEPS))),
        ("views (dynamics alone)", VIEWS, views, (1,) * (1 + len(VIEWS))),
    ):
        medians = [float(np.median(each)) / chunks for each, chunks in zip(times, per, strict=True)]
        for count, median in zip(counts, medians[1:], strict=True):
            what = f"seconds of an imagined chunk, {name}: {count}"
            rows.append(Measurement(what, "CPU s", median, f"{name}: 1", medians[0], "lower", len(times[0])))
    return rows


def _with_views(views: int) -> MultiViewDynamics:
    return MultiViewDynamics(tiny_dynamics(14, views=views)).eval()


def _sample(model: MultiViewDynamics) -> None:
    config = model.config
    context = torch.zeros(1, config.context_frames, config.views, config.height, config.width, 3, dtype=torch.uint8)
    state = torch.zeros(1, config.action_dim) if config.use_state else None
    model.sample(context, torch.zeros(1, config.chunk_size, config.action_dim), state)
