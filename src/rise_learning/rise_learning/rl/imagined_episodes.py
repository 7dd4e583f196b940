"""Imagined episodes: chunk after chunk is chosen among candidates and played on, and what ends well is learned from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from rise_learning.errors import ConfigError
from rise_learning.policy.interface import Policy
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagination import Imagined, OnlineSamples, Starts, Travelled, WorldModel, propose
from rise_learning.rl.passed_over import passed_over
from rise_robot.core.ensembler import blend_weights

FEWEST_CANDIDATES = 3


@dataclass(frozen=True)
class Guidance:
    """How an imagined episode is led (beyond the paper, which samples two chunks and judges them).

    Attributes:
        chunks: chunks played one after the other.
        replan_steps: control steps that are played of a chunk before the next one is chosen.
        candidates: chunks that are imagined at every choice.
        judged_frames: see `Imagined.judged`.
        tolerance: what the policy's own chunk may be judged below the best candidate and is still played.
        minimum_value: V at the end of an episode that ended well, and from which on it is over.
        minimum_rise: above 0, by how much V rises over an episode that counts as ended well before it is over, too: for
            episodes too short to get to the end of the task.
        blend_steps: control steps over which a new chunk takes over from the plan, as `ChunkEnsembler` at deployment.
        led_chunks: above 0, only so many are chosen; behind them the policy plays its own, one candidate each, so that
            more of how it ends is seen.
        passed_over: candidates of every led choice that are kept although they are clearly worse than the best one.
        alone: the policy's own chunks are played and nothing else is imagined: what it would do by itself.

    Raises:
        ConfigError: there is nothing to choose from.
    """

    chunks: int
    replan_steps: int = 10
    candidates: int = 12
    judged_frames: int = 3
    tolerance: float = 0.1
    minimum_value: float = 0.95
    minimum_rise: float = 0.0
    blend_steps: int = 0
    led_chunks: int = 0
    passed_over: int = 0
    alone: bool = False

    def __post_init__(self) -> None:
        if self.candidates < FEWEST_CANDIDATES or self.replan_steps < 1:
            raise ConfigError(
                "imagined episodes choose among the policy's own chunk, the rest of the plan and at least one variant, "
                f"and again after some steps; got candidates {self.candidates} and replan_steps {self.replan_steps}"
            )

    def leads(self, choice: int) -> bool:
        """Whether a chunk is chosen among candidates there, the first choice being 0."""
        return not self.alone and choice < (self.led_chunks or self.chunks)

    @property
    def imagined_chunks(self) -> int:
        """Chunks that the world model is asked for in one episode."""
        return sum(self.candidates if self.leads(choice) else 1 for choice in range(self.chunks))


@dataclass(frozen=True)
class ImaginedEpisodes:
    """What is learned from B episodes: the samples of those that ended well, and of any what was passed over; (B,)
    which ended well, (B,) V at the end, and (B, T, A) all commands, those left of the last chunk included."""

    samples: OnlineSamples
    passed_over: OnlineSamples
    ended_well: np.ndarray
    last_value: np.ndarray
    commands: Tensor

    def of(self, episodes: np.ndarray) -> OnlineSamples:
        """The samples of some episodes, given by their numbers, as far as they ended well."""
        return self.samples.select(np.flatnonzero(np.isin(self.samples.group, episodes)))


def needed_correction(judged: np.ndarray, chunks: np.ndarray, tolerance: float) -> np.ndarray:
    """(B,) which of (B, N, K, A) candidates to play: the first one, the policy's own, unless another does better.

    Where candidates do better by more than `tolerance`, the most typical one of those within it of the best is played,
    so that the correction is neither barely enough nor the one that hurries most.

    Args:
        judged: (B, N) advantages.
    """
    well = judged >= judged.max(1, keepdims=True) - tolerance
    weights = well / well.sum(1, keepdims=True)
    typical = np.einsum("bn,bnka->bka", weights, chunks)
    distance = np.square(chunks - typical[:, None]).mean((2, 3))
    return np.where(well[:, 0], 0, np.where(well, distance, np.inf).argmin(1))


def imagined_episodes(
    policy: Policy,
    world_model: WorldModel,
    starts: Starts,
    guidance: Guidance,
    *,
    explore: Explorer,
    top_bin: int,
    flow_steps: int,
    rng: np.random.Generator,
) -> ImaginedEpisodes:
    """Play `guidance.chunks` chunks from every start, each chosen by what the world model says of candidates.

    The commands that were really played become the chunks to imitate, one sample a frame, as of a recorded episode: a
    policy that learns single chosen chunks learns corrections without the motion that they belong to.

    Raises:
        ValueError: the world model does not say what it values a state at.
    """
    rows, here = np.arange(len(starts.state)), starts
    plan: Tensor | None = None
    track, lower = _Track([starts.context], [starts.state[:, None]]), []
    chain = np.ones(len(rows))
    for choice in range(guidance.chunks):
        _, own = propose(policy, here, rng, advantage_bin=top_bin, flow_steps=flow_steps)
        varied = explore if guidance.leads(choice) else None
        chunks = _candidates(own, plan, here.state, guidance, varied, rng)
        flat, count = chunks.flatten(0, 1), chunks.shape[1]
        imagined = world_model.imagine(here.repeat(count), flat, int(rng.integers(2**31)))
        if imagined.value_now is None:
            raise ValueError("this world model does not say what it values a state at")
        judged = imagined.judged(guidance.judged_frames).reshape(-1, count)
        chosen = needed_correction(judged, chunks.numpy(), guidance.tolerance)
        before = np.repeat(chain, count)
        trust = (before if imagined.trust is None else np.minimum(before, imagined.trust)).reshape(judged.shape)
        unfinished = imagined.value_now[::count] < guidance.minimum_value
        lower.append(passed_over(
            here, chunks, judged, trust, count=guidance.passed_over, tolerance=guidance.tolerance,
            among=unfinished, history=policy.config.history, depth=choice, rng=rng,
        ))  # fmt: skip
        chain = trust[rows, chosen]
        taken = rows * count + chosen
        plan = flat[taken]
        commands = plan[:, : guidance.replan_steps]
        travelled = world_model.advance(here, commands, imagined.frames[taken])
        track.add(commands, travelled, imagined.select(taken), judged[rows, chosen], chain)
        here = here.after(commands, travelled)
    assert plan is not None
    track.commands.append(plan[:, guidance.replan_steps :])
    ended_well = track.last_value >= guidance.minimum_value
    if guidance.minimum_rise:
        ended_well |= track.last_value - track.values[0] >= guidance.minimum_rise
    samples = track.samples(starts, policy.config.history, guidance.replan_steps)
    unfinished = np.stack(track.values, 1) < guidance.minimum_value
    kept = (ended_well[:, None] & unfinished)[samples.group, samples.depth]
    return ImaginedEpisodes(
        samples.select(np.flatnonzero(kept)), OnlineSamples.joined(lower), ended_well, track.last_value,
        torch.cat(track.commands, 1),
    )  # fmt: skip


def judged_again(
    world_model: WorldModel, starts: Starts, commands: Tensor, guidance: Guidance, seeds: list[int]
) -> np.ndarray:
    """(B,) V at the end of (B, T, A) commands, imagined anew once for each of `seeds`: the mean over them and over the
    last `guidance.judged_frames`.

    What leads an episode picks what was imagined well, errors of the imagination included; the same commands with other
    noise say more of what they are worth. The same seeds for two ways to go compare them in the same noise.
    """
    chunk_size = commands.shape[1] - (guidance.chunks - 1) * guidance.replan_steps
    values = []
    for seed in seeds:
        here = starts
        for link in range(guidance.chunks):
            plan = commands[:, link * guidance.replan_steps :][:, :chunk_size]
            imagined = world_model.imagine(here, plan, seed + link)
            if link < guidance.chunks - 1:
                step = plan[:, : guidance.replan_steps]
                here = here.after(step, world_model.advance(here, step, imagined.frames))
        assert imagined.value_now is not None
        values.append(imagined.value_now + imagined.judged(guidance.judged_frames))
    return np.mean(values, axis=0)


@dataclass
class _Track:
    """What became of B episodes so far: frames (B, C + F, V, h, w, 3), the start being the last of the first C; states
    (B, 1 + F, A); commands (B, T, A); of every chosen chunk V at its first state, its advantage, and its trust with
    that of the chunks before it (B,)."""

    frames: list[Tensor]
    states: list[Tensor]
    commands: list[Tensor] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    advantages: list[np.ndarray] = field(default_factory=list)
    trust: list[np.ndarray] = field(default_factory=list)
    last_value: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def add(
        self, commands: Tensor, travelled: Travelled, imagined: Imagined, advantage: np.ndarray, trust: np.ndarray
    ) -> None:
        assert imagined.value_now is not None
        self.frames.append(travelled.frames)
        self.states.append(travelled.states)
        self.commands.append(commands)
        self.values.append(imagined.value_now)
        self.advantages.append(advantage)
        self.trust.append(trust)
        self.last_value = imagined.value_now + imagined.rise[:, -1]

    def samples(self, starts: Starts, history: tuple[int, ...], replan_steps: int) -> OnlineSamples:
        """One sample for every frame that a whole chunk of commands follows; depth is the number of its chunk."""
        frames, states, commands = torch.cat(self.frames, 1), torch.cat(self.states, 1), torch.cat(self.commands, 1)
        context, links, count = starts.context.shape[1], len(self.values), len(states)
        per_chunk = (states.shape[1] - 1) // links
        stride = replan_steps // per_chunk
        chunk_size = commands.shape[1] - (links - 1) * replan_steps
        at = np.arange((links - 1) * per_chunk + 1)
        depth = np.tile(at // per_chunk, count)
        group = np.repeat(np.arange(count), len(at))
        images = torch.stack([frames[:, at + context - 1 + offset] for offset in history], 2)
        chunks = torch.stack([commands[:, k * stride : k * stride + chunk_size] for k in at], 1)
        return OnlineSamples(
            images.flatten(0, 1),
            states[:, at].flatten(0, 1),
            [text for text in starts.instructions for _ in at],
            chunks.flatten(0, 1),
            np.stack(self.advantages, 1)[group, depth],
            depth,
            group,
            np.stack(self.trust, 1)[group, depth],
        )


def _candidates(
    own: Tensor,
    plan: Tensor | None,
    state: Tensor,
    guidance: Guidance,
    explore: Explorer | None,
    rng: np.random.Generator,
) -> Tensor:
    """(B, N, K, A): the policy's own chunk (B, K, A), what is left of the plan, and both of them varied; the first of
    them only, N = 1, where nothing is explored.

    The own chunk is blended into the plan as at deployment: a policy whose chunks replace each other at once fails
    where the ensembled one succeeds, and what guides it would first have to make good for that.
    """
    known = [own]
    if plan is not None:
        left = plan[:, guidance.replan_steps :]
        weights = torch.from_numpy(blend_weights(left.shape[1], guidance.blend_steps)).to(own)[:, None]
        new = torch.cat([torch.lerp(left, own[:, : len(weights)], weights), own[:, len(weights) :]], 1)
        known = [new, torch.cat([left, plan[:, -1:].expand(-1, guidance.replan_steps, -1)], 1)]
    if explore is None:
        return known[0][:, None]
    varied = guidance.candidates - len(known)
    base = torch.stack(known, 1)[:, np.arange(varied) % len(known)].flatten(0, 1)
    varied_chunks = explore(base, state.repeat_interleave(varied, 0), rng).unflatten(0, (-1, varied))
    return torch.cat([*(each[:, None] for each in known), varied_chunks], 1)
