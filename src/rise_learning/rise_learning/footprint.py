"""Parameters and memory of a training step of the preset `paper`, computed without weights and without a GPU.

    python -m rise_learning.footprint                        # one process of eight
    python -m rise_learning.footprint --processes 1 --json   # JSON alone

Every module is built on the meta device at full size. Activations are the peak over one forward and backward pass in
bfloat16, counted tensor by tensor; the rest follows from the number of parameters. What CUDA, NCCL and fragmentation
take is not in it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import tyro
from diffusers import LTXVideoTransformer3DModel
from torch import Tensor, nn

from rise_learning import cli
from rise_learning.errors import ConfigError
from rise_learning.model_choices import GeBaseModel, Pi05Backbone
from rise_learning.policy.config import Pi05PolicyConfig
from rise_learning.policy.pi05_policy import Pi05Policy
from rise_learning.presets import Preset, get_preset
from rise_learning.training.loop import LoopConfig
from rise_learning.training.memory import count, on_meta, step_peak
from rise_robot.core.contract import Contract, config_path
from rise_worldmodel.config import paper_dynamics
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.pi05.config import Pi05Config
from rise_worldmodel.pi05.tokenizer import ByteTokenizer
from rise_worldmodel.pi05.value import Pi05Value, Pi05ValueConfig

PROMPT_TOKENS = 100
"""About what instruction and 14 joint positions need."""
PALIGEMMA_3B = 2_923_335_408
"""Parameters of `pali_gemma_3b_224` as KerasHub publishes them."""
GEMMA_300M = 311_000_000
"""Parameters of the action expert without adaRMS as openpi rounds them."""
Parts = dict[str, int]


@dataclass(frozen=True)
class Args:
    """Flags of footprint."""

    preset: str = "paper"
    processes: int = 8
    """Among which the batch is divided."""
    shard_parameters: bool = False
    """As --training.loop.shard-parameters of the trainings; what is gathered block by block is not counted."""
    json: bool = False
    """Print JSON and nothing else."""


@dataclass(frozen=True)
class Measured:
    """One model: its parameters by part, those published, the module and its loss at a local batch."""

    module: nn.Module
    parameters: Parts
    published: Parts
    loss: Callable[[int], Tensor]
    loop: LoopConfig


def policy(preset: Preset, contract: Contract) -> Measured:
    """pi0.5: the velocity of a chunk from three views and a prompt."""
    config = dataclasses.replace(preset.policy.policy, action_dim=contract.action_dim, chunk_size=contract.chunk_size)
    if not isinstance(config, Pi05PolicyConfig):
        raise ConfigError(f"preset {preset.name!r} is small enough to be run; footprint is for `paper`")
    module = on_meta(lambda: Pi05Policy(config, ByteTokenizer()))
    assert isinstance(module, Pi05Policy)
    model, views = module.model, len(contract.cameras)
    adaptive = sum(count(part) for name, part in model.expert.named_modules() if name.endswith("dense"))

    def loss(batch: int) -> Tensor:
        prefix = model.backbone(*_seen(config.architecture, batch, views))
        noisy = _empty(batch, config.chunk_size, config.architecture.action_dim)
        bins = torch.empty(batch, dtype=torch.long, device="meta")
        return model.velocity(prefix, noisy, _empty(batch), bins).sum()

    expert = {"expert_without_adaptive_norms": count(model.expert) - adaptive, "adaptive_norms": adaptive}
    parameters = {"paligemma": count(model.backbone), **expert}
    published = {"paligemma": PALIGEMMA_3B, "expert_without_adaptive_norms": GEMMA_300M}
    return Measured(module, parameters, published, loss, preset.policy.loop)


def value(preset: Preset, contract: Contract) -> Measured:
    """PaliGemma and a linear head; TD's second, undifferentiated pass needs less than the first."""
    backbone, views = preset.value.backbone, len(contract.cameras)
    assert isinstance(backbone, Pi05Backbone)
    config = Pi05ValueConfig(views, *preset.image_size, architecture=backbone.architecture)
    module = on_meta(lambda: Pi05Value(config, ByteTokenizer()))
    assert isinstance(module, Pi05Value)

    def loss(batch: int) -> Tensor:
        hidden = module.backbone(*_seen(config.architecture, batch, views)).hidden
        return module.value_head(hidden[:, -1]).sum()

    return Measured(module, {"paligemma": count(module.backbone)}, {"paligemma": PALIGEMMA_3B}, loss, preset.value.loop)


def dynamics(preset: Preset, contract: Contract) -> Measured:
    """GE-Base: one evaluation of the transformer over context and future latents of all views."""
    choice = preset.dynamics.model
    assert isinstance(choice, GeBaseModel)
    config = dataclasses.replace(
        paper_dynamics(contract.action_dim, views=len(contract.cameras)), checkpointing=choice.checkpointing
    )
    module = on_meta(lambda: MultiViewDynamics(config))
    assert isinstance(module, MultiViewDynamics)
    views, future, tokens, channels = module.latent_shape

    def loss(batch: int) -> Tensor:
        latents = _empty(batch, views, module.context_groups + future, tokens, channels)
        actions = _empty(batch, config.chunk_size, config.action_dim)
        told = module.actions(actions, actions[:, 0])
        levels = _empty(batch, latents.shape[2])
        return module.transformer(latents, told.tokens, levels, told.embedding, config.grid, told.mask).sum()

    extra = sum(p.numel() for name, p in module.transformer.named_parameters() if name.startswith("view_"))
    parts = {
        "ltx_transformer": count(module.transformer) - extra,
        "views": extra,
        "actions": count(module.actions),
        "vae": count(module.codec),
    }
    ltx = count(on_meta(LTXVideoTransformer3DModel))
    return Measured(module, parts, {"ltx_transformer": ltx}, loss, preset.dynamics.loop)


def footprint(name: str, processes: int, *, shard_parameters: bool = False) -> dict[str, Any]:
    """Parameters and memory per process of every training of preset `name`."""
    preset, contract = get_preset(name), Contract.load(config_path("contract.yaml"))
    models = {}
    for build in (policy, value, dynamics):
        model = build(preset, contract)
        loop = dataclasses.replace(model.loop, shard_parameters=shard_parameters)
        models[build.__name__] = _report(dataclasses.replace(model, loop=loop), processes)
    return {"preset": name, "processes": processes, "models": models}


def sizes(model: Measured, processes: int) -> dict[str, float]:
    """Bytes that one of `processes` holds in a training step, by what they are."""
    total, trained = count(model.module), count(model.module, trained=True)
    share = processes if model.loop.shard_parameters else 1
    return {
        "weights": 4 * total / share,
        "bfloat16_copies": 2 * trained / share,
        "gradients": 4 * trained / share,
        "optimizer": 8 * (fullest_part(model.module, processes) if model.loop.shard_optimizer else trained / share),
        "ema": 4 * total / share,
        "activations": step_peak(model.module, lambda: model.loss(_local_batch(model.loop, processes))),
    }


def fullest_part(module: nn.Module, processes: int) -> int:
    """Parameters whose optimizer state the fullest process keeps (ZeRO stage 1).

    Whole tensors are dealt out, the largest first, to whoever has least: `ZeroRedundancyOptimizer`.
    """
    parts = [0] * processes
    for tensor in sorted((each for each in module.parameters() if each.requires_grad), key=nn.Parameter.numel)[::-1]:
        parts[parts.index(min(parts))] += tensor.numel()
    return max(parts)


def _local_batch(loop: LoopConfig, processes: int) -> int:
    return loop.batch_size // (processes * loop.accumulate)


def _report(model: Measured, processes: int) -> dict[str, Any]:
    held = sizes(model, processes)
    counted = {"total": count(model.module), "trained": count(model.module, trained=True)}
    return {
        "parameters": {**model.parameters, **counted},
        "published": model.published,
        "batch_of_a_process": _local_batch(model.loop, processes),
        "gigabytes": {name: round(size / 1e9, 2) for name, size in [*held.items(), ("total", sum(held.values()))]},
    }


def _seen(config: Pi05Config, batch: int, views: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images, tokens and presence of a prefix, on the meta device."""
    images = _empty(batch, views, 3, config.resolution, config.resolution)
    tokens = torch.empty(batch, PROMPT_TOKENS, dtype=torch.long, device="meta")
    return images, tokens, torch.ones(batch, PROMPT_TOKENS, dtype=torch.bool, device="meta")


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.bfloat16, device="meta")


def show(found: dict[str, Any]) -> None:
    """One table per model."""
    for name, model in found["models"].items():
        print(f"\n{name}: batch {model['batch_of_a_process']} of one process among {found['processes']}")
        for part, number in model["parameters"].items():
            known = model["published"].get(part)
            print(f"  {part:32}{number:>16,}" + ("" if known is None else f"   published {known:,}"))
        for part, size in model["gigabytes"].items():
            print(f"  {part:32}{size:>13.2f} GB")


def main() -> None:
    cli.run(lambda: run(tyro.cli(Args, description=__doc__)))


def run(args: Args) -> None:
    """Print what the flags ask for."""
    found = footprint(args.preset, args.processes, shard_parameters=args.shard_parameters)
    print(json.dumps(found, indent=2)) if args.json else show(found)


if __name__ == "__main__":
    main()
