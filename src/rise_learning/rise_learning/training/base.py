"""The pre-trained base that ships with the project, where it fits the contract at hand (Sec. III-D pre-trains, too)."""

from __future__ import annotations

import logging
from operator import attrgetter
from pathlib import Path

import torch
from safetensors.torch import load_file

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.errors import ConfigError
from rise_learning.training.world_model_io import CONTRACT_KEY, FILE, load_dynamics, load_inputs
from rise_robot.core.contract import Contract
from rise_worldmodel.checkpoint import read_metadata
from rise_worldmodel.config import DynamicsConfig
from rise_worldmodel.dynamics import MultiViewDynamics

SHARED_PARTS = ("transformer_blocks.", "time_embed.", "caption_projection.", "scale_shift_table")
"""Of a transformer: what knows neither codec, cameras, length of a chunk nor joints, so that another robot can begin
with it."""
KIND = ("architecture", "condition", "control_maps", "context_tokens")
SIZE = ("heads", "head_dim", "layers", "codec.patch", "codec.channels", "maps_per_group")
"""Fields that a base and what is wanted must share."""
logger = logging.getLogger(__name__)
SHIPPED = Path(__file__).resolve().parents[1] / "base"
"""`base/dynamics/model.safetensors`, made by scripts/pretrain_base.sh."""


def find_base(
    choice: str, contract: Contract, image_size: tuple[int, int], wanted: DynamicsConfig | None = None
) -> tuple[MultiViewDynamics, DynamicsInputs] | None:
    """Dynamics to start from.

    Args:
        choice: "none"; "auto" for the shipped base where it was made under this very contract and frame size, and is a
            model as `wanted`; or a directory, which must fit and be of the same kind (its size may differ).
        wanted: what would be trained from scratch, where that is a small model.

    Raises:
        ConfigError: a directory does not fit.
    """
    if choice == "none":
        return None
    directory = SHIPPED / "dynamics" if choice == "auto" else Path(choice)
    if choice == "auto":
        if not (directory / FILE).is_file():
            return None
        own = Contract.from_yaml(read_metadata(directory / FILE)[CONTRACT_KEY], source=str(directory))
        if own.digest != contract.digest:
            return None
    model = load_dynamics(directory, contract)
    if (model.config.height, model.config.width) != image_size:
        if choice == "auto":
            return None
        raise ConfigError(f"{directory} works on {model.config.height}x{model.config.width} frames, not {image_size}")
    names = KIND if choice != "auto" else (*KIND, *SIZE)
    pairs = {name: (attrgetter(name)(model.config), attrgetter(name)(wanted)) for name in names} if wanted else {}
    different = [name for name, (own, asked) in pairs.items() if own != asked]
    if different:
        if choice == "auto":
            logger.info("the shipped base is another model (%s); training from scratch", ", ".join(different))
            return None
        both = [f"{name} {pairs[name][0]!r}, not {pairs[name][1]!r}" for name in different]
        raise ConfigError(f"{directory} is another model than the flags ask for: {'; '.join(both)}")
    model.requires_grad_(True).codec.requires_grad_(False)
    return model, load_inputs(directory, contract, model.config)


def begin_with(directory: Path, model: MultiViewDynamics) -> int:
    """Copy `SHARED_PARTS` of another robot's dynamics into `model`; everything else of it stays new.

    Returns:
        Parameters copied.

    Raises:
        ConfigError: there are no dynamics, or parameters are missing or of another size.
    """
    if not (directory / FILE).is_file():
        raise ConfigError(f"{directory / FILE} does not exist; --begin-with takes the directory of trained dynamics")
    theirs = load_file(directory / FILE)
    wanted = {
        name: parameter
        for name, parameter in model.named_parameters()
        if name.removeprefix("transformer.").startswith(SHARED_PARTS)
    }
    odd = [name for name, mine in wanted.items() if name not in theirs or theirs[name].shape != mine.shape]
    if odd or not wanted:
        raise ConfigError(
            f"{directory} is of another size or architecture: {len(odd)} of {len(wanted)} tensors differ, the first is "
            f"{odd[0] if odd else 'none'}; choose --preset and --architecture as there"
        )
    with torch.no_grad():
        for name, mine in wanted.items():
            mine.copy_(theirs[name])
    return sum(mine.numel() for mine in wanted.values())
