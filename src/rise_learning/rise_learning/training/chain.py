"""Imaginations that follow recorded commands, link after link: what they show is known to stand for recorded frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.rl.imagination import Starts, Travelled, recorded_starts
from rise_worldmodel.told import Told

LINK_FRAMES = 5
"""Frames that imagination goes on by before it imagines again, as `SelfImprovement.replan_steps` has it."""


@dataclass(frozen=True)
class Chain:
    """B of them.

    Attributes:
        g: (B,) global numbers of the frames that they have got to.
        here: contexts and states there, recorded or imagined.
    """

    inputs: DynamicsInputs
    episodes: EpisodeSet
    g: np.ndarray
    here: Starts

    @classmethod
    def begin(cls, inputs: DynamicsInputs, episodes: EpisodeSet, g: np.ndarray) -> Chain:
        """At recorded frames g (B,)."""
        return cls(inputs, episodes, g, recorded_starts(episodes, g))

    @property
    def commands(self) -> Tensor:
        """(B, K, A) what was commanded from here on, rad and m."""
        return torch.from_numpy(self.episodes.chunk(self.g))

    @property
    def links(self) -> np.ndarray:
        """(B,) how often each has gone on."""
        return self.here.last_recorded.steps_ago.numpy() // self._step

    def told(self) -> Told:
        """What dynamics are told of the commands."""
        return self.inputs(self.here.state, self.commands, self.here.instructions, self.here.last_recorded)

    def onward(self, frames: Tensor) -> Chain:
        """One link on, as (B, F, V, h, w, 3) uint8 frames were imagined."""
        played, frames = self.commands[:, : self._step], frames[:, :LINK_FRAMES]
        joints = self.inputs.joints_at(self.here.state.numpy(), played.numpy(), frames.numpy())
        here = self.here.after(played, Travelled(frames, torch.from_numpy(joints)))
        return replace(self, g=self.g + LINK_FRAMES, here=here)

    def select(self, rows: np.ndarray) -> Chain:
        """Those of `rows` (M,)."""
        return replace(self, g=self.g[rows], here=self.here.select(rows))

    def beside(self, other: Chain) -> Chain:
        """These, then `other`."""
        return replace(self, g=np.concatenate([self.g, other.g]), here=self.here.beside(other.here))

    @property
    def _step(self) -> int:
        return LINK_FRAMES * self.episodes.contract.actions_per_frame
