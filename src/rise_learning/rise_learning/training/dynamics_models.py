"""The dynamics that a preset names, for a contract: ours, the peers of Table V, and their published weights."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rise_learning.errors import ConfigError
from rise_learning.model_choices import (
    CosmosModel,
    DynamicsModel,
    GeBaseModel,
    GenieEnvisionerModel,
    PatchModel,
    PublishedCosmosModel,
    PublishedGenieEnvisionerModel,
)
from rise_learning.training.published import published_directory
from rise_robot.core.contract import Contract
from rise_robot.sim.control_maps import can_draw
from rise_worldmodel.action_encoder import InstructionEncoder
from rise_worldmodel.config import (
    CodecConfig,
    DynamicsConfig,
    LtxVaeConfig,
    WanVaeConfig,
    cosmos_dynamics,
    paper_dynamics,
)
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.ltx_vae import vae_config
from rise_worldmodel.text_encoder import embed_texts
from rise_worldmodel.wan_vae import wan_config

AS_PUBLISHED: dict[str, Any] = {"condition": "instruction", "use_state": False}
"""GE-Base: memory frames and an instruction."""
SMALL_GENIE_ENVISIONER: dict[str, Any] = {
    **AS_PUBLISHED,
    "context_tokens": True,
    "view_modulation": True,
    "cross_view_every": 3,
}
SMALL_COSMOS: dict[str, Any] = {"architecture": "cosmos", "context_tokens": True, "learned_positions": False}
UNCONDITIONED: dict[str, Any] = {"condition": "nothing", "use_state": False, "control_maps": False}
"""The ablation without action conditioning."""
logger = logging.getLogger(__name__)


def new_model(
    choice: DynamicsModel,
    contract: Contract,
    image_size: tuple[int, int],
    instructions: Sequence[str] = (),
    *,
    actions: bool = True,
    control_maps: bool = True,
) -> MultiViewDynamics:
    """An untrained model, or one with published weights.

    Args:
        instructions: all that occur in the data; those of GE-Base are embedded here, once.
        actions: whether ours is conditioned on actions; peers are what they are.
        control_maps: whether ours draws them, where the cell of the contract is known; published dynamics go without.

    Raises:
        ConfigError: published weights are not named, or a peer is to go without its condition.
        CheckpointError: they do not fit.
    """
    if not actions and not isinstance(choice, GeBaseModel) and type(choice) is not PatchModel:
        raise ConfigError(f"--no-actions is for our dynamics; {type(choice).__name__} is what was published")
    config = small_config(choice, contract, image_size, actions=actions, control_maps=control_maps)
    if config is not None:
        return MultiViewDynamics(config)
    if isinstance(choice, PublishedCosmosModel):
        return _cosmos(choice, contract, image_size)
    if isinstance(choice, PublishedGenieEnvisionerModel):
        return _genie_envisioner(choice, contract, image_size, instructions)
    if not isinstance(choice, GeBaseModel):
        raise ConfigError(f"no dynamics of kind {type(choice).__name__}")
    return _ge_base(choice, contract, image_size, {} if actions else UNCONDITIONED)


def small_config(
    choice: DynamicsModel, contract: Contract, size: tuple[int, int], *, actions: bool = True, control_maps: bool = True
) -> DynamicsConfig | None:
    """A model whose patches are coded in closed form; None for one with published weights."""
    if not isinstance(choice, PatchModel):
        return None
    config = DynamicsConfig(
        len(contract.cameras), *size, contract.action_dim, contract.chunk_size, contract.frames_per_chunk,
        context_frames=contract.context_frames, heads=choice.heads, head_dim=choice.head_dim, layers=choice.layers,
        codec=CodecConfig(patch=choice.patch, channels=choice.channels),
    )  # fmt: skip
    if isinstance(choice, GenieEnvisionerModel):
        return dataclasses.replace(config, **SMALL_GENIE_ENVISIONER)
    if isinstance(choice, CosmosModel):
        return dataclasses.replace(config, **SMALL_COSMOS)
    drawn = {"control_maps": control_maps and can_draw(contract), "maps_per_group": choice.maps_per_group}
    return dataclasses.replace(config, **(drawn if actions else UNCONDITIONED))


def _ge_base(
    choice: GeBaseModel, contract: Contract, size: tuple[int, int], changes: dict[str, Any]
) -> MultiViewDynamics:
    weights = published_directory(choice.ge_base, "--training.model.ge-base", "GE-Base (Genie Envisioner)")
    vae = published_directory(choice.vae, "--training.model.vae", "the folder `vae` of LTX-Video")
    config = paper_dynamics(contract.action_dim, vae=LtxVaeConfig() if vae is None else vae_config(vae))
    return _published(config, choice, contract, size, changes, weights, vae)


def _genie_envisioner(
    choice: PublishedGenieEnvisionerModel, contract: Contract, size: tuple[int, int], instructions: Sequence[str]
) -> MultiViewDynamics:
    encoder = published_directory(choice.text_encoder, "--training.model.text-encoder", "LTX-Video (T5 text encoder)")
    if encoder is None:
        return _ge_base(choice, contract, size, AS_PUBLISHED)
    texts = tuple(sorted(set(instructions)))
    table, lengths = embed_texts(encoder, texts)
    model = _ge_base(choice, contract, size, {**AS_PUBLISHED, "texts": texts, "text_tokens": table.shape[1]})
    assert isinstance(model.actions, InstructionEncoder)
    if model.actions.table.shape != table.shape:
        raise ConfigError(
            f"{encoder} embeds tokens as {table.shape[2]} numbers, GE-Base reads {choice.caption_channels}"
        )
    model.actions.table.copy_(table)
    model.actions.lengths.copy_(lengths)
    return model


def _cosmos(choice: PublishedCosmosModel, contract: Contract, size: tuple[int, int]) -> MultiViewDynamics:
    weights = published_directory(choice.cosmos, "--training.model.cosmos", "the transformer of Cosmos-Predict2.5")
    vae = published_directory(choice.vae, "--training.model.vae", "the folder `vae` of Cosmos-Predict2.5")
    config = cosmos_dynamics(contract.action_dim, vae=WanVaeConfig() if vae is None else wan_config(vae))
    return _published(config, choice, contract, size, {}, weights, vae)


def _published(
    config: DynamicsConfig,
    choice: GeBaseModel | PublishedCosmosModel,
    contract: Contract,
    size: tuple[int, int],
    changes: dict[str, Any],
    weights: Path | None,
    vae: Path | None,
) -> MultiViewDynamics:
    """`config` at the sizes of choice and contract, with the weights of two directories."""
    sizes = {name: getattr(choice, name) for name in ("heads", "head_dim", "layers", "caption_channels")}
    of_contract = {
        "views": len(contract.cameras),
        "height": size[0],
        "width": size[1],
        "chunk_size": contract.chunk_size,
        "future_frames": contract.frames_per_chunk,
        "context_frames": contract.context_frames,
        "checkpointing": choice.checkpointing,
    }
    model = MultiViewDynamics(dataclasses.replace(config, **of_contract, **sizes, **changes))
    for directory, load in ((weights, model.load_transformer), (vae, model.load_vae)):
        if directory is not None:
            logger.info("%s: %s", directory, load(directory))
    return model
