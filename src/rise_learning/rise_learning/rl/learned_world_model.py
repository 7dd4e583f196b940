"""The learned world model of a run as the self-improvement loop calls it: rad and m in, frames and Eq. 2 out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rise_robot.core.contract import Contract
from rise_worldmodel.world_model import CompositionalWorldModel
from torch import Tensor

from rise_learning.rl.imagination import Imagined
from rise_learning.training.world_model_io import load_dynamics, load_normalizer, load_value


class LearnedWorldModel:
    """Frozen dynamics and value of `run`, with the normalisation that the dynamics were trained with."""

    def __init__(self, run: Path, contract: Contract, *, dynamics_steps: int = 1) -> None:
        self.model = CompositionalWorldModel(
            load_dynamics(run / "dynamics", contract), load_value(run / "value", contract), steps=dynamics_steps
        )
        self.normalizer = load_normalizer(run / "dynamics")

    def imagine(self, context: Tensor, state: Tensor, chunks: Tensor, instructions: list[str], seed: int) -> Imagined:
        seeds = np.random.default_rng(seed).integers(2**62, size=len(chunks)).tolist()
        found = self.model.imagine(
            context, self.normalizer.normalize(state), self.normalizer.normalize(chunks), instructions, seeds=seeds
        )
        return Imagined(found.frames, found.advantage.float().numpy())
