"""Checkpoints as others publish them, at small width: the names of their files, the shapes of ours."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLLTXVideo, AutoencoderKLWan, LTXVideoTransformer3DModel
from safetensors.torch import save_file
from torch import Tensor

from rise_worldmodel.config import DynamicsConfig, LtxVaeConfig, WanVaeConfig, cosmos_dynamics, paper_dynamics
from rise_worldmodel.pi05.config import Pi05Config

VISION = "paligemma_with_expert.paligemma.model.vision_tower.vision_model."
GEMMA = "paligemma_with_expert.paligemma.model.language_model."
EXPERT = "paligemma_with_expert.gemma_expert.model."
PROJECTOR = "paligemma_with_expert.paligemma.model.multi_modal_projector.linear."


def openpi_tensors(config: Pi05Config) -> dict[str, Tensor]:
    """What openpi's export of pi0.5 holds: embedding tied to `lm_head` and stored under that name alone."""
    shapes: dict[str, tuple[int, ...]] = {
        **_siglip(config),
        **_linear(PROJECTOR, config.width, config.vision_width),
        **_gemma(GEMMA, config, config.width, config.mlp, adaptive=False),
        **_gemma(EXPERT, config, config.expert_width, config.expert_mlp, adaptive=True),
        **_linear("action_in_proj.", config.expert_width, config.action_dim),
        **_linear("action_out_proj.", config.action_dim, config.expert_width),
        **_linear("time_mlp_in.", config.expert_width, config.expert_width),
        **_linear("time_mlp_out.", config.expert_width, config.expert_width),
        "paligemma_with_expert.paligemma.lm_head.weight": (config.vocabulary, config.width),
        "paligemma_with_expert.gemma_expert.lm_head.weight": (config.vocabulary, config.expert_width),
    }
    generator = torch.Generator().manual_seed(0)
    return {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def lerobot_tensors(config: Pi05Config) -> dict[str, Tensor]:
    """The same as lerobot saves it: every key behind `model.`, and the embedding under both of its names."""
    tensors = openpi_tensors(config)
    tensors[GEMMA + "embed_tokens.weight"] = tensors["paligemma_with_expert.paligemma.lm_head.weight"].clone()
    return {f"model.{name}": tensor for name, tensor in tensors.items()}


def write_sharded(directory: Path, tensors: dict[str, Tensor], stem: str = "model") -> Path:
    """Two shards and their index."""
    directory.mkdir(parents=True, exist_ok=True)
    names, index = sorted(tensors), {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        file = f"{stem}-{number:05d}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, directory / file)
        index |= dict.fromkeys(part, file)
    (directory / f"{stem}.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return directory


def _siglip(config: Pi05Config) -> dict[str, tuple[int, ...]]:
    width = config.vision_width
    shapes: dict[str, tuple[int, ...]] = {
        VISION + "embeddings.patch_embedding.weight": (width, 3, config.patch, config.patch),
        VISION + "embeddings.patch_embedding.bias": (width,),
        VISION + "embeddings.position_embedding.weight": (config.image_tokens, width),
        **_vector(VISION + "post_layernorm.", width),
    }
    for number in range(config.vision_layers):
        layer = f"{VISION}encoder.layers.{number}."
        shapes |= _vector(layer + "layer_norm1.", width) | _vector(layer + "layer_norm2.", width)
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{layer}self_attn.{name}.", width, width)
        shapes |= _linear(layer + "mlp.fc1.", config.vision_mlp, width)
        shapes |= _linear(layer + "mlp.fc2.", width, config.vision_mlp)
    return shapes


def _gemma(prefix: str, config: Pi05Config, width: int, mlp: int, *, adaptive: bool) -> dict[str, tuple[int, ...]]:
    heads, shared = config.heads * config.head_dim, config.kv_heads * config.head_dim

    def norm(name: str) -> dict[str, tuple[int, ...]]:
        return _linear(name + "dense.", 3 * width, width) if adaptive else {name + "weight": (width,)}

    shapes = norm(prefix + "norm.")
    for number in range(config.layers):
        layer = f"{prefix}layers.{number}."
        shapes |= norm(layer + "input_layernorm.") | norm(layer + "post_attention_layernorm.")
        shapes |= {
            layer + "self_attn.q_proj.weight": (heads, width),
            layer + "self_attn.k_proj.weight": (shared, width),
            layer + "self_attn.v_proj.weight": (shared, width),
            layer + "self_attn.o_proj.weight": (width, heads),
            layer + "mlp.gate_proj.weight": (mlp, width),
            layer + "mlp.up_proj.weight": (mlp, width),
            layer + "mlp.down_proj.weight": (width, mlp),
        }
    return shapes


def _linear(prefix: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {prefix + "weight": (outputs, inputs), prefix + "bias": (outputs,)}


def _vector(prefix: str, width: int) -> dict[str, tuple[int, ...]]:
    return {prefix + "weight": (width,), prefix + "bias": (width,)}


def write_tokenizer(directory: Path, words: tuple[str, ...]) -> None:
    """A tokenizer.json of whole words, with PaliGemma's special tokens at their places."""
    vocabulary = {word: number for number, word in enumerate(("<pad>", "<eos>", "<bos>", "<unk>", *words))}
    content = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    }
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tokenizer.json").write_text(json.dumps(content))


TINY_VAE: dict[str, object] = {
    "latent_channels": 8,
    "block_out_channels": [8, 16, 16, 16],
    "decoder_block_out_channels": [8, 16, 16, 16],
    "layers_per_block": [1, 1, 1, 1, 1],
    "decoder_layers_per_block": [1, 1, 1, 1, 1],
}
"""LTX-Video's VAE at small width; its ratios (8 frames, 32x32 pixels) are the published ones."""


def tiny_ge_dynamics(**changes: object) -> DynamicsConfig:
    """GE-Base's layout at small width: four blocks, two views of 32x64, nine future frames."""
    config = paper_dynamics(3, views=2, chunk_size=18, future_frames=9, vae=LtxVaeConfig(TINY_VAE))
    small = {"height": 32, "width": 64, "heads": 2, "head_dim": 12, "layers": 4, "caption_channels": 10}
    return dataclasses.replace(config, context_frames=2, **{**small, **changes})


def ge_base_tensors(config: DynamicsConfig) -> dict[str, Tensor]:
    """What GE-Base holds: LTX's tensors under diffusers' names, the view embedding and its modulation."""
    dim = config.dim
    ltx = LTXVideoTransformer3DModel(
        in_channels=config.codec.channels,
        out_channels=config.codec.channels,
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        cross_attention_dim=dim,
        num_layers=config.layers,
        caption_channels=config.caption_channels,
    )
    views = {
        "view_embed": torch.randn(config.views, dim),
        "view_ada.1.weight": torch.randn(6 * dim, dim),
        "view_ada.1.bias": torch.randn(6 * dim),
    }
    return {name: tensor.clone().contiguous() for name, tensor in {**ltx.state_dict(), **views}.items()}


def write_vae(directory: Path) -> AutoencoderKLLTXVideo:
    """The folder `vae` of LTX-Video, with latent statistics that are not the identity."""
    vae = AutoencoderKLLTXVideo.from_config(TINY_VAE).eval()
    vae.latents_mean.copy_(torch.linspace(-1, 1, 8))
    vae.latents_std.copy_(torch.linspace(0.5, 2, 8))
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKLLTXVideo", **TINY_VAE}))
    save_file(vae.state_dict(), directory / "diffusion_pytorch_model.safetensors")
    return vae


TINY_WAN: dict[str, object] = {
    "base_dim": 8,
    "z_dim": 4,
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "latents_mean": [0.1, -0.2, 0.3, 0.0],
    "latents_std": [1.0, 2.0, 0.5, 1.5],
}
"""Wan 2.1's VAE at small width; its ratios (4 frames, 8x8 pixels) are the published ones."""


def tiny_cosmos_dynamics() -> DynamicsConfig:
    """Cosmos-Predict2.5's layout at small width: two blocks, two views of 16x32, five future frames."""
    config = cosmos_dynamics(3, views=2, chunk_size=10, future_frames=5, vae=WanVaeConfig(TINY_WAN))
    small = {"height": 16, "width": 32, "heads": 2, "head_dim": 16, "layers": 2, "caption_channels": 12}
    return dataclasses.replace(config, context_frames=2, adaln_rank=8, **small)


def write_wan(directory: Path) -> AutoencoderKLWan:
    """The folder `vae` of Cosmos-Predict2.5."""
    vae = AutoencoderKLWan.from_config(TINY_WAN).eval()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKLWan", **TINY_WAN}))
    save_file(vae.state_dict(), directory / "diffusion_pytorch_model.safetensors")
    return vae
