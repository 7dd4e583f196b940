"""Trained value and dynamics models of a run, and the values of recorded frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import CheckpointError
from rise_robot.core.contract import Contract
from rise_worldmodel.checkpoint import load_model, read_metadata, save_model
from rise_worldmodel.config import DynamicsConfig
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.value import ValueFunction

FILE = "model.safetensors"
CONTRACT_KEY = "contract"
STEPS_KEY = "sampling_steps"


def save_trained(directory: Path, model: ValueFunction | MultiViewDynamics, contract: Contract, **texts: str) -> None:
    """Write `directory/model.safetensors` with the contract it was trained under."""
    directory.mkdir(parents=True, exist_ok=True)
    save_model(directory / FILE, model, metadata={CONTRACT_KEY: contract.to_yaml(), **texts})


def load_value(directory: Path, contract: Contract) -> ValueFunction:
    """The value model of train_value. Raises CheckpointError or ContractMismatchError."""
    model = _load(directory, contract, "train_value")
    if not isinstance(model, ValueFunction):
        raise CheckpointError(f"{directory} holds {type(model).__name__}, expected a value model (train_value)")
    return model


def load_dynamics(directory: Path, contract: Contract) -> MultiViewDynamics:
    """The dynamics model of train_dynamics. Raises CheckpointError or ContractMismatchError."""
    model = _load(directory, contract, "train_dynamics")
    if not isinstance(model, MultiViewDynamics):
        raise CheckpointError(f"{directory} holds {type(model).__name__}, expected dynamics (train_dynamics)")
    return model


def trained_contract(directory: Path) -> Contract:
    """The contract of a trained model. Raises CheckpointError where there is none."""
    path = directory / FILE
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; train it first")
    return Contract.from_yaml(read_metadata(path)[CONTRACT_KEY], source=str(path))


def _load(directory: Path, contract: Contract, command: str) -> ValueFunction | MultiViewDynamics:
    path = directory / FILE
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; run {command} with the same --out first")
    own = Contract.from_yaml(read_metadata(path)[CONTRACT_KEY], source=str(path))
    own.require_same(contract, ours=f"checkpoint {path}", theirs="the data")
    return load_model(path)


@torch.inference_mode()
def value_of_frames(model: ValueFunction, episodes: EpisodeSet) -> np.ndarray:
    """(N,) V of every frame of `episodes`."""
    values, batch = np.empty(len(episodes), np.float32), model.frames_at_once
    for start in range(0, len(episodes), batch):
        g = np.arange(start, min(start + batch, len(episodes)))
        words = episodes.instructions_of(g)
        values[g] = model.eval()(torch.from_numpy(episodes.frames[g]), words).value.cpu().numpy()
    return values


def sampling_steps(directory: Path, wanted: int | None = None) -> int:
    """Euler steps to sample the dynamics of `directory` with: `wanted`, else those they are meant for; 1 where they do
    not say."""
    return wanted if wanted is not None else int(read_metadata(directory / FILE).get(STEPS_KEY, "1"))


def load_inputs(directory: Path, contract: Contract, config: DynamicsConfig) -> DynamicsInputs:
    """What turns joints into the conditions of the dynamics of `directory`."""
    return DynamicsInputs.from_texts(read_metadata(directory / FILE), contract, config)
