"""The learned world model of a run as the self-improvement loop calls it: rad and m in, frames and Eq. 2 out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rise_learning.rl.imagination import Imagined
from rise_learning.training.world_model_io import load_dynamics, load_normalizer, load_value
from rise_robot.core.contract import Contract
from rise_worldmodel.advantage import advantage as eq2
from rise_worldmodel.world_model import CompositionalWorldModel


class LearnedWorldModel:
    """Frozen dynamics and value of `run`, with the normalisation that the dynamics were trained with."""

    def __init__(self, run: Path, contract: Contract, *, dynamics_steps: int = 1) -> None:
        self.model = CompositionalWorldModel(
            load_dynamics(run / "dynamics", contract), load_value(run / "value", contract), steps=dynamics_steps
        )
        self.normalizer = load_normalizer(run / "dynamics")

    def to(self, device: torch.device) -> LearnedWorldModel:
        """Compute on `device`; frames and advantages come back to the CPU."""
        self.model.dynamics.to(device)
        self.model.value.to(device)
        return self

    def imagine(self, context: Tensor, state: Tensor, chunks: Tensor, instructions: list[str], seed: int) -> Imagined:
        seeds = np.random.default_rng(seed).integers(2**62, size=len(chunks)).tolist()
        found = self.model.imagine(
            context, self.normalizer.normalize(state), self.normalizer.normalize(chunks), instructions, seeds=seeds
        )
        return Imagined(found.frames, found.advantage.float().numpy())

    def advantage(self, now: Tensor, frames: Tensor, instructions: list[str]) -> np.ndarray:
        """Eq. 2 on frames that really followed: (B, V, h, w, 3) and (B, F, V, h, w, 3) uint8 -> (B,)."""
        values = self.model.values_of(torch.cat([now[:, None], frames], dim=1), instructions)
        return eq2(values[:, 1:], values[:, 0]).float().numpy()
