"""Episodes on the contract's two grids: control steps (30 Hz) and frames (15 Hz), addressed as one sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rise_learning.data.frame_store import FrameStore
from rise_learning.errors import DataError
from rise_robot.core.contract import Contract

DEMONSTRATION, ROLLOUT, DAGGER = "demonstration", "rollout", "dagger"


@dataclass(frozen=True)
class EpisodeArrays:
    """One episode.

    Attributes:
        frames: (F, V, h, w, 3) uint8 RGB; frame f was seen at control step `f * actions_per_frame`.
        state: (T, A) float32 joint positions, rad and m.
        action: (T, A) float32 joint commands as sent; `action[t]` follows `state[t]`.
        clean_action: (T, A) float32 the same before exploration noise; what a policy should imitate.
        human: (T,) bool, a person commanded.
        events: (frame, name, object) of every rubric event; the object is what comes behind "/" in its subject.
    """

    episode_id: str
    task: str
    instruction: str
    kind: str
    outcome: str
    score: float
    seed: int
    frames: np.ndarray
    state: np.ndarray
    action: np.ndarray
    clean_action: np.ndarray
    human: np.ndarray
    events: tuple[tuple[int, str, str], ...]


class EpisodeSet:
    """Many episodes of one contract, addressed by global frame number g in [0, len(self)).

    All gathers clip at the borders of the episode: history repeats the first frame, the future repeats the last frame
    and the last command (the robot holds).
    """

    def __init__(self, contract: Contract, episodes: list[EpisodeArrays]) -> None:
        if not episodes:
            raise DataError("no episode found; record or collect some first (python -m rise_robot.collect --help)")
        self.contract = contract
        self.frames = FrameStore([episode.frames for episode in episodes])
        self.state = np.concatenate([episode.state for episode in episodes])
        self.action = np.concatenate([episode.action for episode in episodes])
        self.clean_action = np.concatenate([episode.clean_action for episode in episodes])
        self.human = np.concatenate([episode.human for episode in episodes])
        frame_counts = np.array([len(episode.frames) for episode in episodes])
        step_counts = np.array([len(episode.state) for episode in episodes])
        self.first_frame = np.concatenate([[0], np.cumsum(frame_counts)[:-1]])
        self.last_frame = self.first_frame + frame_counts - 1
        first_step = np.concatenate([[0], np.cumsum(step_counts)[:-1]])
        self.episode_of = np.repeat(np.arange(len(episodes)), frame_counts)
        within = np.arange(len(self.frames)) - self.first_frame[self.episode_of]
        self.step_of = first_step[self.episode_of] + within * contract.actions_per_frame
        self._last_step = first_step + step_counts - 1
        self.episodes = [
            self._view(episode, slice(first, first + steps))
            for episode, first, steps in zip(episodes, first_step, step_counts, strict=True)
        ]

    def _view(self, episode: EpisodeArrays, steps: slice) -> EpisodeArrays:
        """`episode` with its joints as views of the concatenated ones: everything is held in memory once."""
        return replace(
            episode,
            state=self.state[steps],
            action=self.action[steps],
            clean_action=self.clean_action[steps],
            human=self.human[steps],
        )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def instructions(self) -> list[str]:
        return [episode.instruction for episode in self.episodes]

    def instructions_of(self, g: np.ndarray) -> list[str]:
        """B instructions, those of frames g."""
        return [self.episodes[number].instruction for number in self.episode_of[g]]

    def frames_of(self, kind: str | None = None, outcome: str | None = None) -> np.ndarray:
        """Global numbers of the frames whose episode has this kind and outcome."""
        keep = [kind in (None, e.kind) and outcome in (None, e.outcome) for e in self.episodes]
        return np.flatnonzero(np.array(keep)[self.episode_of])

    def context(self, g: np.ndarray, length: int) -> np.ndarray:
        """(B, length, V, h, w, 3) frames g - length + 1 .. g."""
        index = g[:, None] + np.arange(1 - length, 1)
        return self.frames[np.maximum(index, self.first_frame[self.episode_of[g]][:, None])]

    def history(self, g: np.ndarray, offsets: tuple[int, ...]) -> np.ndarray:
        """(B, len(offsets), V, h, w, 3) frames g + offset, offsets <= 0."""
        index = g[:, None] + np.array(offsets)
        return self.frames[np.maximum(index, self.first_frame[self.episode_of[g]][:, None])]

    def future_index(self, g: np.ndarray, length: int) -> np.ndarray:
        """(B, length) global numbers of the frames g + 1 .. g + length."""
        index = g[:, None] + np.arange(1, length + 1)
        return np.minimum(index, self.last_frame[self.episode_of[g]][:, None])

    def following(self, g: np.ndarray) -> np.ndarray:
        """(B, F, V, h, w, 3) frames of the chunk that follows g."""
        return self.frames[self.future_index(g, self.contract.frames_per_chunk)]

    def chunk(self, g: np.ndarray, *, clean: bool = False) -> np.ndarray:
        """(B, K, A) commands from the control step of frame g on, as sent or before exploration noise."""
        index = self.step_of[g][:, None] + np.arange(self.contract.chunk_size)
        source = self.clean_action if clean else self.action
        return source[np.minimum(index, self._last_step[self.episode_of[g]][:, None])]

    def frames_left(self, g: np.ndarray) -> np.ndarray:
        """(B,) frames that follow g in its episode."""
        return self.last_frame[self.episode_of[g]] - g

    def progress(self, g: np.ndarray) -> np.ndarray:
        """(B,) t / T of Eq. 5: 0 at the first frame of the episode, 1 at the last."""
        first, last = self.first_frame[self.episode_of[g]], self.last_frame[self.episode_of[g]]
        return ((g - first) / np.maximum(1, last - first)).astype(np.float32)

    def split(self, held_out: float, seed: int) -> tuple[EpisodeSet, EpisodeSet]:
        """(training, held-out) episodes; the same seed gives the same split, at least one episode a side."""
        order = np.random.default_rng(seed).permutation(len(self.episodes))
        count = min(len(order) - 1, max(1, round(held_out * len(order))))
        if count < 1:
            raise DataError(f"{len(order)} episode(s) cannot be split; at least 2 are needed")
        chosen = set(order[:count].tolist())
        return (
            EpisodeSet(self.contract, [e for i, e in enumerate(self.episodes) if i not in chosen]),
            EpisodeSet(self.contract, [e for i, e in enumerate(self.episodes) if i in chosen]),
        )

    def without(self, ids: frozenset[str]) -> EpisodeSet | None:
        """The episodes with other ids; None where all have one of them."""
        left = [episode for episode in self.episodes if episode.episode_id not in ids]
        return EpisodeSet(self.contract, left) if left else None

    def rubric_classes(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(objects, names) that occur in rubric events anywhere, each sorted."""
        events = [event for episode in self.episodes for event in episode.events if event[2]]
        return tuple(sorted({event[2] for event in events})), tuple(sorted({event[1] for event in events}))

    def rubric_state(self, objects: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
        """(len(self), len(objects)) int64: 0 before any event of the object, else 1 + number of its last event's name.

        -1 where the episode has no event of that object: nothing is known of it.
        """
        state = np.full((len(self), len(objects)), -1, np.int64)
        for number, episode in enumerate(self.episodes):
            first, last = self.first_frame[number], self.last_frame[number]
            present = {event[2] for event in episode.events if event[2] in objects}
            for column in sorted(objects.index(name) for name in present):
                state[first : last + 1, column] = 0
            for frame, name, subject in episode.events:
                if subject in objects and name in names:
                    state[min(first + frame, last) : last + 1, objects.index(subject)] = 1 + names.index(name)
        return state
