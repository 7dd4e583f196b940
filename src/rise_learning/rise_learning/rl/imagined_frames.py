"""Imagined frames judged by physics: what the loop loses to the dynamics alone.

The reverse of the simulator with the learned value model. Commands are imagined by the learned dynamics and, beside
it, executed in the simulator: the policy sees and learns from imagined frames, and the simulator's progress says what
its commands lead to.
"""

from __future__ import annotations

from torch import Tensor

from rise_learning.rl.imagination import Imagined, Starts, Travelled
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.rl.simulated_world_model import SimulatedWorldModel


class ImaginedFrames:
    """A world model of the frames of one and the judgement of the other.

    Args:
        simulator: its own progress judges.
    """

    def __init__(self, learned: LearnedWorldModel, simulator: SimulatedWorldModel) -> None:
        assert simulator.judge is None
        self.learned, self.simulator = learned, simulator

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        """Raises DataError for starts that were not recorded, or cannot be replayed."""
        imagined, true = self.learned.imagine(starts, chunks, seed), self.simulator.imagine(starts, chunks, seed)
        return Imagined(imagined.frames, true.rise, imagined.trust, true.value_now)

    def advance(self, starts: Starts, commands: Tensor, frames: Tensor) -> Travelled:
        """On in both; what is seen on the way was imagined."""
        self.simulator.follow(starts, commands)
        return self.learned.advance(starts, commands, frames)
