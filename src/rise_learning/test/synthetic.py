"""Small made-up episodes for the tests of the learning side."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeArrays, EpisodeSet
from rise_learning.data.normalizer import Normalizer
from rise_learning.policy.checkpoint import TrainedPolicy, save_policy
from rise_learning.policy.config import PolicyConfig
from rise_learning.policy.flow_policy import FlowPolicy
from rise_learning.training.world_model_io import save_trained
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.tracking import JointTracking
from rise_worldmodel.config import tiny_dynamics, tiny_value
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.value import ValueModel

SIZE = (16, 16)


def small_contract(chunk_size: int = 10) -> Contract:
    """The tiny contract with short chunks, so that tests stay quick."""
    contract = Contract.load(config_path("contract_tiny.yaml"))
    return dataclasses.replace(contract, chunk_size=chunk_size)


def small_policy_config(contract: Contract, **changes) -> PolicyConfig:
    return PolicyConfig(
        **{
            "action_dim": contract.action_dim,
            "chunk_size": contract.chunk_size,
            "image_size": SIZE,
            "channels": (4, 4, 4),
            "view_features": 8,
            "prompt_features": 8,
            "width": 32,
            "blocks": 2,
            "basis_size": 12,
            "draws": 2,
            **changes,
        }
    )


def make_episode(
    contract: Contract, seed: int, *, frames: int = 12, kind: str = "demonstration", outcome: str = "success"
) -> EpisodeArrays:
    """Random frames, smooth random joint motion, one grasp event in the middle."""
    rng = np.random.default_rng(seed)
    steps = frames * contract.actions_per_frame
    state = (0.3 + np.cumsum(rng.normal(0, 0.01, (steps, contract.action_dim)), axis=0)).astype(np.float32)
    return EpisodeArrays(
        episode_id=f"{kind}_{seed}",
        task="brick_sorting",
        instruction="sort the bricks",
        kind=kind,
        outcome=outcome,
        score=2.5,
        seed=seed,
        frames=rng.integers(0, 255, (frames, len(contract.cameras), *SIZE, 3), dtype=np.uint8),
        state=state,
        action=state + 0.01,
        clean_action=state + 0.02,
        human=np.zeros(steps, bool),
        events=((frames // 2, "grasp", "red"), (frames - 2, "place_matched", "red")),
    )


def make_set(contract: Contract | None = None) -> EpisodeSet:
    """Three demonstrations, one failed and one successful rollout."""
    contract = contract or small_contract()
    return EpisodeSet(
        contract,
        [make_episode(contract, seed) for seed in range(3)]
        + [make_episode(contract, 3, kind="rollout", outcome="failure"), make_episode(contract, 4, kind="rollout")],
    )


def untrained_policy(contract: Contract, seed: int = 0, **changes) -> FlowPolicy:
    """A small untrained policy that moves all joints: what it does is nonsense, how it is run is not."""
    torch.manual_seed(seed)
    config = PolicyConfig(channels=(4, 4, 4), view_features=8, width=32, blocks=1, basis_size=16, **changes)
    policy, ways = FlowPolicy(config), 0.3 * np.random.default_rng(seed).standard_normal((64, 1, contract.action_dim))
    policy.basis.fit(ways * np.linspace(0, 1, contract.chunk_size)[:, None], np.zeros((64, contract.action_dim)))
    return policy.eval()


def untrained(contract: Contract, seed: int = 0) -> TrainedPolicy:
    """`untrained_policy` as a checkpoint would give it."""
    return TrainedPolicy(untrained_policy(contract, seed), contract, None, "untrained")


def save_untrained(directory: Path, version: str, seed: int = 0) -> Path:
    """`untrained_policy` for the tiny contract, in a checkpoint."""
    contract = Contract.load(config_path("contract_tiny.yaml"))
    save_policy(directory, untrained_policy(contract, seed=seed), contract, None, version)
    return directory


def save_untrained_world(run: Path) -> Path:
    """Dynamics, value and policy of the tiny contract with random weights; bins from -1 to 1."""
    contract = Contract.load(config_path("contract_tiny.yaml"))
    joints = contract.action_dim
    torch.manual_seed(0)
    dynamics = MultiViewDynamics(dataclasses.replace(tiny_dynamics(joints), heads=2, head_dim=16, layers=1))
    inputs = DynamicsInputs(contract, dynamics.config, Normalizer(joints), JointTracking((1.0,) * joints))
    save_trained(run / "dynamics", dynamics, contract, **inputs.texts())
    save_trained(run / "value", ValueModel(tiny_value(views=len(contract.cameras))), contract)
    meta = save_untrained(run / "policy", "untrained") / "model.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"bins": {"low": -1.0, "high": 1.0, "count": 10}}))
    return run
