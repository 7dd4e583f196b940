"""Imagined rollouts: EMA policy -> chunk -> world model -> advantage, chained for a second chunk (Sec. III-C)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.last_recorded import LastRecorded
from rise_learning.policy.interface import Policy, PolicyInput
from rise_learning.rl.exploration import Explorer

AS_PROPOSED = Explorer()


@dataclass(frozen=True)
class Imagined:
    """What a world model says of B chunks.

    Attributes:
        frames: (B, F, V, h, w, 3) uint8 predicted frames.
        rise: (B, F') V of the frames that were judged, minus V now.
        trust: (B,) in (0, 1] how far each may be trusted; None: as far as anything.
        value_now: (B,) V now; None where nobody said.
    """

    frames: Tensor
    rise: np.ndarray
    trust: np.ndarray | None = None
    value_now: np.ndarray | None = None

    @property
    def advantage(self) -> np.ndarray:
        """(B,) Eq. 2."""
        return self.judged(0)

    def judged(self, last: int) -> np.ndarray:
        """(B,) Eq. 2 over the `last` judged frames only, 0 for all.

        The mean over a whole chunk says how soon something succeeds, its end says whether (docs/decisions/0003).
        """
        return self.rise[:, -last:].mean(1)

    def select(self, rows: np.ndarray) -> Imagined:
        """What is said of the chunks `rows` (M,)."""
        trust = None if self.trust is None else self.trust[rows]
        return Imagined(
            self.frames[rows], self.rise[rows], trust, None if self.value_now is None else self.value_now[rows]
        )


@dataclass(frozen=True)
class Travelled:
    """What commands have led to: (B, n, V, h, w, 3) uint8 frames, one every `actions_per_frame` commands, and the joint
    positions (B, n, A) at them, rad and m."""

    frames: Tensor
    states: Tensor


class WorldModel(Protocol):
    """Predicts and judges chunks; states and chunks are in rad and m."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        """What (B, K, A) chunks lead to from B states."""
        ...

    def advance(self, starts: Starts, commands: Tensor, frames: Tensor) -> Travelled:
        """Where the first (B, T, A) commands of chunks lead, of which (B, F, V, h, w, 3) frames were imagined."""
        ...


@dataclass(frozen=True)
class Starts:
    """B states to imagine from.

    Attributes:
        context: (B, C, V, h, w, 3) uint8, oldest first, the last one is now.
        state: (B, A) float32, rad and m.
        origin: (B,) global numbers of the recorded frames; None for imagined ones.
        played: (B, T, A) commands that lead from there to the states; None for none.
        seen: what was recorded last before the states; None: they are recorded themselves.
    """

    context: Tensor
    state: Tensor
    instructions: list[str]
    origin: np.ndarray | None = None
    played: Tensor | None = None
    seen: LastRecorded | None = None

    @property
    def last_recorded(self) -> LastRecorded:
        """`seen`, or the states themselves."""
        return LastRecorded.now(self.context[:, -1], self.state) if self.seen is None else self.seen

    def after(self, commands: Tensor, travelled: Travelled) -> Starts:
        """The states that (B, T, A) commands have led to."""
        played = commands if self.played is None else torch.cat([self.played, commands], 1)
        context = torch.cat([self.context, travelled.frames], 1)[:, -self.context.shape[1] :]
        seen = self.last_recorded.later(commands.shape[1], travelled.states)
        return Starts(context, travelled.states[:, -1], self.instructions, self.origin, played, seen)

    def select(self, rows: np.ndarray) -> Starts:
        """The states `rows` (M,)."""
        return Starts(
            self.context[rows],
            self.state[rows],
            [self.instructions[row] for row in rows],
            None if self.origin is None else self.origin[rows],
            None if self.played is None else self.played[rows],
            None if self.seen is None else self.seen.select(rows),
        )

    def beside(self, other: Starts) -> Starts:
        """These states, then those of `other`; how they were got to is forgotten."""
        return Starts(
            torch.cat([self.context, other.context]),
            torch.cat([self.state, other.state]),
            [*self.instructions, *other.instructions],
            seen=self.last_recorded.beside(other.last_recorded),
        )

    def split(self, size: int) -> list[Starts]:
        """Parts of at most `size` states."""
        rows = np.arange(len(self.state))
        return [self.select(rows[first : first + size]) for first in range(0, len(rows), size)]

    def repeat(self, times: int) -> Starts:
        """Every state `times` times, copies side by side."""
        return Starts(
            self.context.repeat_interleave(times, 0),
            self.state.repeat_interleave(times, 0),
            [text for text in self.instructions for _ in range(times)],
            None if self.origin is None else np.repeat(self.origin, times),
            None if self.played is None else self.played.repeat_interleave(times, 0),
            None if self.seen is None else self.seen.repeat(times),
        )


def recorded_starts(episodes: EpisodeSet, g: np.ndarray) -> Starts:
    """The states at frames g (B,)."""
    return Starts(
        torch.from_numpy(episodes.context(g, episodes.contract.context_frames)),
        torch.from_numpy(episodes.state[episodes.step_of[g]]),
        episodes.instructions_of(g),
        g,
    )


@dataclass(frozen=True)
class OnlineSamples:
    """Imagined experience <o, a, A> of N chunks.

    Attributes:
        images: (N, history, V, h, w, 3) uint8.
        state: (N, A); chunks: (N, K, A), rad and m.
        advantage: (N,) as binned.
        depth: (N,) 0 for chunks from a recorded state, 1 for chunks from an imagined one.
        group: (N,) equal for candidates of one state.
        trust: (N,) in (0, 1] how far the imagination may be trusted, that of the first chunk included; 1 where the
            world model does not say.
    """

    images: Tensor
    state: Tensor
    instructions: list[str]
    chunks: Tensor
    advantage: np.ndarray
    depth: np.ndarray
    group: np.ndarray
    trust: np.ndarray

    def select(self, rows: np.ndarray) -> OnlineSamples:
        """The samples `rows` (M,)."""
        return OnlineSamples(
            self.images[rows],
            self.state[rows],
            [self.instructions[row] for row in rows],
            self.chunks[rows],
            self.advantage[rows],
            self.depth[rows],
            self.group[rows],
            self.trust[rows],
        )

    def first_of_groups(self) -> OnlineSamples:
        """Of imagined episodes the chunks from recorded states: the first sample of every group that has one."""
        first = np.unique(self.group, return_index=True)[1]
        return self.select(first[self.depth[first] == 0])

    @classmethod
    def joined(cls, parts: list[OnlineSamples]) -> OnlineSamples:
        """One after the other."""
        return cls(
            torch.cat([part.images for part in parts]),
            torch.cat([part.state for part in parts]),
            [text for part in parts for text in part.instructions],
            torch.cat([part.chunks for part in parts]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("advantage", "depth", "group", "trust")
            ),
        )


def policy_images(context: Tensor, history: tuple[int, ...]) -> Tensor:
    """The frames of `context` (B, C, ...) that the policy looks at: offsets relative to the last one."""
    return context[:, [context.shape[1] - 1 + offset for offset in history]]


def propose(
    policy: Policy,
    starts: Starts,
    rng: np.random.Generator,
    *,
    advantage_bin: int,
    flow_steps: int | None,
    guidance: float = 1.0,
    explore: Explorer = AS_PROPOSED,
) -> tuple[PolicyInput, Tensor]:
    """What the policy sees of B states, and the (B, K, A) chunk that it proposes for each, asked for one bin (Eq. 7).

    Args:
        flow_steps: None: those of the policy's configuration.
        explore: varies what is proposed.
    """
    count = len(starts.state)
    inputs = PolicyInput(
        policy_images(starts.context, policy.config.history),
        starts.state,
        starts.instructions,
        torch.full((count,), advantage_bin),
    )
    noise = torch.from_numpy(rng.standard_normal((count, policy.config.basis_size)).astype(np.float32))
    chunks = policy.sample(inputs, noise, steps=flow_steps, guidance=guidance).clone()
    return inputs, explore(chunks, starts.state, rng)


def imagined_rollout(
    policy: Policy,
    world_model: WorldModel,
    starts: Starts,
    *,
    top_bin: int,
    candidates: int,
    chunks_per_start: int,
    within_state: bool,
    explore: Explorer = AS_PROPOSED,
    judged_frames: int = 0,
    flow_steps: int,
    rng: np.random.Generator,
) -> OnlineSamples:
    """Ask the rollout policy for the best bin (Eq. 7), imagine, judge (Eq. 2); imagined frames feed the next chunk.

    Args:
        candidates: chunks sampled from each recorded state.
        within_state: subtract the mean advantage of the candidates of a recorded state; of their second chunks as well,
            although these start from different imagined states.
        explore: see `propose`.
        judged_frames: last frames of a chunk that are judged, 0 for all (Eq. 2).
    """
    current, found = starts.repeat(candidates), []
    trust = np.ones(len(current.state))
    for depth in range(chunks_per_start):
        inputs, chunks = propose(policy, current, rng, advantage_bin=top_bin, flow_steps=flow_steps, explore=explore)
        imagined = world_model.imagine(current, chunks, int(rng.integers(2**31)))
        trust = trust if imagined.trust is None else np.minimum(trust, imagined.trust)
        group = np.arange(len(chunks)) // candidates
        advantage = imagined.judged(judged_frames)
        if within_state:
            advantage -= np.repeat(advantage.reshape(-1, candidates).mean(1), candidates)
        found.append(OnlineSamples(
            inputs.images, current.state, current.instructions, chunks, advantage, np.full(len(chunks), depth), group,
            trust,
        ))  # fmt: skip
        if depth + 1 < chunks_per_start:
            current = current.after(chunks, world_model.advance(current, chunks, imagined.frames))
    return OnlineSamples.joined(found)
