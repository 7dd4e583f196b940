"""The learned world model of a run as the self-improvement loop calls it: rad and m in, frames and Eq. 2 out."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rise_learning.rl.imagination import Imagined, Starts, Travelled
from rise_learning.rl.imagination_crew import ImaginationCrew
from rise_learning.training.world_model_io import load_dynamics, load_inputs, load_value, sampling_steps
from rise_robot.core.contract import Contract
from rise_worldmodel.trust import TrustConfig
from rise_worldmodel.world_model import CompositionalWorldModel, Imagination


class LearnedWorldModel:
    """Frozen dynamics and value of `run`, with the conditions that the dynamics were trained with.

    Args:
        dynamics_steps: Euler steps of an imagination; None: those that the dynamics are meant for.
        trust: what is asked of imaginations to tell how far they may be trusted; None: nothing.
        workers: processes that share a batch of `imagine`, on the CPU; 1: this one. Control maps are drawn by one
            thread, so that threads of torch alone bring little.
    """

    def __init__(
        self,
        run: Path,
        contract: Contract,
        *,
        dynamics_steps: int | None = None,
        trust: TrustConfig | None = None,
        workers: int = 1,
    ) -> None:
        steps = sampling_steps(run / "dynamics", dynamics_steps)
        self.model = CompositionalWorldModel(
            load_dynamics(run / "dynamics", contract),
            load_value(run / "value", contract),
            steps=steps,
            trust=trust,
        )
        self.inputs = load_inputs(run / "dynamics", contract, self.model.dynamics.config)
        self._crew = None if workers <= 1 else ImaginationCrew(_Recipe(run, contract, steps, trust), workers)

    def to(self, device: torch.device) -> LearnedWorldModel:
        """Compute on `device`; frames and advantages come back to the CPU."""
        self.model.dynamics.to(device)
        self.model.value.to(device)
        return self

    def asking_for(self, trust: TrustConfig | None) -> LearnedWorldModel:
        """The same models, other questions of trust."""
        other = copy.copy(self)
        other.model = copy.copy(self.model)
        other.model.trust = trust
        other._crew = None
        return other

    def predict(self, starts: Starts, chunks: Tensor, seed: int, *, steps: int | None = None) -> Imagination:
        """All that the world model says of (B, K, A) chunks from B states; `steps` of the dynamics for this call."""
        return self._predict(starts, chunks, _seeds(seed, len(chunks)), steps)

    def _predict(self, starts: Starts, chunks: Tensor, seeds: Sequence[int], steps: int | None = None) -> Imagination:
        told = self.inputs(starts.state, chunks, starts.instructions, starts.last_recorded)
        return self.model.imagine(
            starts.context, told.state, told.actions, starts.instructions, maps=told.maps, seeds=seeds, steps=steps
        )

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        seeds = _seeds(seed, len(chunks))
        if self._crew is not None:
            return self._crew.imagine(starts, chunks, seeds, self.model.micro_batch)
        return self.imagine_seeded(starts, chunks, seeds)

    def imagine_seeded(self, starts: Starts, chunks: Tensor, seeds: Sequence[int]) -> Imagined:
        """In this process, every chunk by the noise of its own seed."""
        found = self._predict(starts, chunks, seeds)
        trust = None if found.trust is None else found.trust.float().numpy()
        rise = (found.values - found.value_now[:, None]).float().numpy()
        return Imagined(found.frames, rise, trust, found.value_now.float().numpy())

    def advance(self, starts: Starts, commands: Tensor, frames: Tensor) -> Travelled:
        """The imagined frames, and joints as commands and frames tell them (`DynamicsInputs.joints_at`)."""
        states = torch.from_numpy(self.inputs.joints_at(starts.state.numpy(), commands.numpy(), frames.numpy()))
        return Travelled(frames[:, : states.shape[1]], states)

    def judge(self, now: Tensor, frames: Tensor, instructions: list[str]) -> Imagined:
        """What V says of frames (B, F, V, h, w, 3) that really followed those (B, V, h, w, 3) of now, uint8."""
        values = self.model.values_of(torch.cat([now[:, None], frames], dim=1), instructions)
        return Imagined(frames, (values[:, 1:] - values[:, :1]).float().numpy(), value_now=values[:, 0].float().numpy())


def _seeds(seed: int, count: int) -> list[int]:
    seeds: list[int] = np.random.default_rng(seed).integers(2**62, size=count).tolist()
    return seeds


@dataclass(frozen=True)
class _Recipe:
    """A world model that every process of a crew makes for itself."""

    run: Path
    contract: Contract
    dynamics_steps: int
    trust: TrustConfig | None

    def __call__(self, starts: Starts, chunks: Tensor, seeds: Sequence[int]) -> Imagined:
        return _made(self).imagine_seeded(starts, chunks, seeds)


@functools.cache
def _made(recipe: _Recipe) -> LearnedWorldModel:
    """Of a worker process."""
    return LearnedWorldModel(recipe.run, recipe.contract, dynamics_steps=recipe.dynamics_steps, trust=recipe.trust)
