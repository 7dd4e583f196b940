"""Contexts as imperfect as the dynamics that learn from them make them (beyond the paper, which adds noise to them).

Dynamics that have seen recorded contexts alone are given frames of their own as soon as imaginations are chained, and
what one link blurs is lost in the next (docs/decisions/0018). Here half of every batch is imagined from pure noise, as
one Euler step would, and what comes of it is the context of the next batch: chains cost nothing but their decoding.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.last_recorded import LastRecorded
from rise_learning.rl.imagination import Starts
from rise_learning.training.chain import Chain


class OwnContexts:
    """Args:
    links: that a chain has at most; 0: every context is recorded.
    """

    def __init__(self, inputs: DynamicsInputs, episodes: EpisodeSet, links: int) -> None:
        self.inputs, self.episodes, self.links = inputs, episodes, links
        self._going_on: Chain | None = None

    def batch(self, g: np.ndarray, rng: np.random.Generator) -> tuple[Chain, int]:
        """Where the next batch begins, and how many of it, the first ones, are to be imagined from pure noise.

        Args:
            g: (B,) frames to learn from; chains that go on take the place of some of them.
        """
        begin = partial(Chain.begin, self.inputs, self.episodes)
        if not self.links:
            return begin(g), 0
        own, g = self._going_on, rng.permutation(g)
        return begin(g) if own is None else own.beside(begin(g[len(own.g) :])), len(g) // 2

    def imagined(self, chain: Chain, frames: Tensor, rng: np.random.Generator) -> None:
        """What (B, F, V, h, w, 3) uint8 frames came of `chain` (B): the next batch goes on from there.

        Chains end at random, so that every batch has some of every length, and where their episode has no whole chunk
        left.
        """
        chain = chain.onward(frames)
        room = self.episodes.frames_left(chain.g) >= self.episodes.contract.frames_per_chunk
        lasting = rng.random(len(chain.g)) < self.links / (self.links + 1)
        kept = np.flatnonzero(room & (chain.links <= self.links) & lasting)
        self._going_on = chain.select(kept) if len(kept) else None

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        own = self._going_on
        if own is None:
            return {}
        pictures, state, steps_ago, path = own.here.last_recorded
        return {
            "g": torch.from_numpy(own.g),
            "context": own.here.context,
            "state": own.here.state,
            "recorded_pictures": pictures,
            "recorded_state": state,
            "steps_ago": steps_ago,
            "path": path,
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        if not state:
            return
        seen = LastRecorded(*(state[name] for name in ("recorded_pictures", "recorded_state", "steps_ago", "path")))
        g = state["g"].numpy()
        here = Starts(state["context"], state["state"], self.episodes.instructions_of(g), seen=seen)
        self._going_on = Chain(self.inputs, self.episodes, g, here)
