"""A policy as it is deployed: weights and the JSON that makes them usable, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rise_learning.errors import CheckpointError, ConfigError
from rise_learning.policy.config import BasePolicyConfig, Pi05PolicyConfig, PolicyConfig
from rise_learning.policy.flow_policy import FlowPolicy
from rise_learning.policy.interface import Policy
from rise_learning.policy.location import META
from rise_learning.policy.pi05_policy import open_policy
from rise_learning.policy.prompt import NO_BIN
from rise_learning.rl.bins import AdvantageBins
from rise_learning.training.fingerprint import weights_digest
from rise_learning.training.run_directory import write_json
from rise_robot.core.contract import Contract
from rise_worldmodel.pi05.config import Pi05Config

MODEL = "model.safetensors"
KINDS: dict[str, type[BasePolicyConfig]] = {"flow": PolicyConfig, "pi05": Pi05PolicyConfig}


@dataclass(frozen=True)
class TrainedPolicy:
    """Policy, the contract it obeys and the bins it was taught; `version` names it in every ActionChunk."""

    policy: Policy
    contract: Contract
    bins: AdvantageBins | None
    version: str

    def bin_asked(self, wanted: int | None) -> int:
        """The bin to condition on: `wanted`, or the best one where that is None.

        Raises:
            ConfigError: the policy has no such bin.
        """
        if wanted is None:
            return self.policy.config.bins if self.bins is None else self.bins.top
        if not NO_BIN <= wanted <= self.policy.config.bins:
            raise ConfigError(
                f"advantage bin {wanted} was asked for; {self.version} has 1 to {self.policy.config.bins}, and "
                f"{NO_BIN} for none"
            )
        return wanted


def save_policy(directory: Path, policy: Policy, contract: Contract, bins: AdvantageBins | None, version: str) -> None:
    """Write `directory/{model.safetensors, model.json}` and what the policy keeps beside its weights.

    Args:
        version: run, stage and step; a digest of the weights is appended.
    """
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / (MODEL + ".tmp")
    save_file({name: tensor.contiguous() for name, tensor in policy.state_dict().items()}, temporary)
    os.replace(temporary, directory / MODEL)
    policy.save_assets(directory)
    version = f"{version}-{weights_digest(directory / MODEL)[:8]}"  # tells two trainings of one name apart
    kind = next(name for name, config in KINDS.items() if type(policy.config) is config)
    write_json(
        directory / META,
        {"kind": kind, "config": policy.config, "contract": contract.to_yaml(), "bins": bins, "version": version},
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
    try:
        meta = json.loads((directory / META).read_text())
        weights, bins, version = load_file(directory / MODEL), meta["bins"], meta["version"]
        bins = AdvantageBins(**bins) if bins else None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"the policy in {directory} cannot be read ({type(error).__name__}: {error})") from error
    own = Contract.from_yaml(meta["contract"], source=str(directory / META))
    if contract is not None:
        own.require_same(contract, ours=f"policy {directory}", theirs="the caller")
    policy = build_policy(policy_config_from(meta["config"], meta.get("kind", "flow")), directory)
    try:
        policy.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{directory / MODEL} does not fit its configuration: {error}") from error
    return TrainedPolicy(policy.eval(), own, bins, version)


def load_warmed_up(directory: Path, contract: Contract | None = None) -> tuple[TrainedPolicy, AdvantageBins]:
    """`load_policy` of one that was taught advantages, and its bins.

    Raises:
        CheckpointError, ContractMismatchError: as load_policy; CheckpointError also after imitation alone.
    """
    trained = load_policy(directory, contract)
    if trained.bins is None:
        raise CheckpointError(f"{directory} has no advantage bins; warm it up with train_policy")
    return trained, trained.bins


def build_policy(config: BasePolicyConfig, directory: Path | None = None) -> Policy:
    """An untrained policy of this kind; `directory` holds its assets, where it needs any."""
    if isinstance(config, Pi05PolicyConfig):
        return open_policy(config, directory)
    assert isinstance(config, PolicyConfig)
    return FlowPolicy(config)


def policy_config_from(raw: dict[str, Any], kind: str = "flow") -> BasePolicyConfig:
    """The configuration from JSON, where tuples have become lists."""
    if kind not in KINDS:
        raise CheckpointError(f"policy of kind {kind!r}; this version knows {sorted(KINDS)}")
    known = {field.name for field in dataclasses.fields(KINDS[kind])}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise CheckpointError(f"unknown policy settings {unknown}; this version knows {sorted(known)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    if "architecture" in values:
        values["architecture"] = Pi05Config.from_dict(values["architecture"])
    return KINDS[kind](**values)
