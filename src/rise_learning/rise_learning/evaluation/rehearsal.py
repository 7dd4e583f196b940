"""The ceiling of choosing at run time: every candidate is rehearsed in the simulator to the end of its episode."""

from __future__ import annotations

import copy

import numpy as np

from rise_learning.evaluation.agent import PolicyAgent
from rise_learning.rl.imagination import Starts


class RehearsingAgent(PolicyAgent):
    """A policy that is told how the episode ends behind each of its candidates, which no robot can be.

    The first candidate is played behind which the policy, going on alone as deployed, succeeds; where there is none,
    the one that ends furthest. Its own chunk comes first. An episode that is known to succeed is played as it was
    rehearsed. What a chunk shows at its end (`SimulatedChoice`) is no ceiling: choices that are greedy by that lose
    what the policy alone would have done (docs/decisions/0025).
    """

    @property
    def chooses(self) -> bool:
        """Always, and by itself."""
        return True

    def reset(self) -> None:
        """As `PolicyAgent`."""
        super().reset()
        self._succeeds = False

    @property
    def _candidates(self) -> int:
        return 1 if self._succeeds else self.config.candidates

    def _pick(self, starts: Starts, chunks: np.ndarray, arrival: int) -> int:
        if self._succeeds:
            return 0
        saved, ends = self.robot.get_state(), list[float]()
        for number, chunk in enumerate(chunks):
            self._understudy()._play_on(chunk, arrival)
            self._succeeds = self.robot.outcome == "success"
            ends.append(self.robot.progress())
            self.robot.set_state(saved)
            if self._succeeds:
                return number
        return int(np.argmax(ends))

    def _understudy(self) -> RehearsingAgent:
        """Itself, as it will be once it knows that it succeeds, random numbers included."""
        other = copy.copy(self)
        other._ensembler, other.rng = copy.deepcopy((self._ensembler, self.rng))
        other._frames, other._pending, other._seen = dict(self._frames), list(self._pending), {}
        other._succeeds = True
        return other

    def _play_on(self, chunk: np.ndarray, arrival: int) -> None:
        """Go on with `chunk` to the end of the episode."""
        self._pending.append((arrival, self._step, chunk))
        self.robot.step(self._act())
        while self.robot.outcome == "running":
            self.robot.step(self.action())
