"""A policy as it is deployed: weights and the JSON that makes them usable, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from rise_learning.errors import CheckpointError
from rise_learning.policy.config import PolicyConfig
from rise_learning.policy.flow_policy import FlowPolicy
from rise_learning.policy.location import META
from rise_learning.rl.bins import AdvantageBins
from rise_learning.training.run_directory import write_json
from rise_robot.core.contract import Contract

MODEL = "model.safetensors"


@dataclass(frozen=True)
class TrainedPolicy:
    """Policy, the contract it obeys and the bins it was taught; `version` names it in every ActionChunk."""

    policy: FlowPolicy
    contract: Contract
    bins: AdvantageBins | None
    version: str


def save_policy(
    directory: Path, policy: FlowPolicy, contract: Contract, bins: AdvantageBins | None, version: str
) -> None:
    """Write `directory/{model.safetensors, model.json}`."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / (MODEL + ".tmp")
    save_file({name: tensor.contiguous() for name, tensor in policy.state_dict().items()}, temporary)
    os.replace(temporary, directory / MODEL)
    write_json(
        directory / META,
        {"config": policy.config, "contract": contract.to_yaml(), "bins": bins, "version": version},
    )


def load_policy(directory: Path, contract: Contract | None = None) -> TrainedPolicy:
    """Read what save_policy wrote.

    Args:
        contract: what the caller runs with; None accepts the checkpoint's own.

    Raises:
        CheckpointError: not a policy, incomplete, or its weights do not fit its configuration.
        ContractMismatchError: the caller has another contract.
    """
    if not (directory / META).is_file() or not (directory / MODEL).is_file():
        raise CheckpointError(f"{directory} holds no policy ({META}, {MODEL}); train one with train_policy --out RUN")
    meta = json.loads((directory / META).read_text())
    own = Contract.from_yaml(meta["contract"], source=str(directory / META))
    if contract is not None:
        own.require_same(contract, ours=f"policy {directory}", theirs="the caller")
    policy = FlowPolicy(policy_config_from(meta["config"]))
    try:
        policy.load_state_dict(load_file(directory / MODEL))
    except RuntimeError as error:
        raise CheckpointError(f"{directory / MODEL} does not fit its configuration: {error}") from error
    bins = AdvantageBins(**meta["bins"]) if meta["bins"] else None
    return TrainedPolicy(policy.eval(), own, bins, meta["version"])


def policy_config_from(raw: dict[str, Any]) -> PolicyConfig:
    """PolicyConfig from JSON, where tuples have become lists."""
    known = {field.name for field in dataclasses.fields(PolicyConfig)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise CheckpointError(f"unknown policy settings {unknown}; this version knows {sorted(known)}")
    return PolicyConfig(**{name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()})
