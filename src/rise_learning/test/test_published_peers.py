"""Peers of Table V at the paper's layouts: their weights from local directories, through the command's own builder."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from published import TINY_WAN, ge_base_tensors, tiny_cosmos_dynamics, tiny_ge_dynamics, write_vae, write_wan
from safetensors.torch import save_file
from synthetic import small_contract
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from rise_learning.errors import ConfigError
from rise_learning.model_choices import (
    GenieEnvisionerModel,
    PublishedCosmosModel,
    PublishedGenieEnvisionerModel,
    peer_model,
)
from rise_learning.presets import get_preset
from rise_learning.training.dynamics_models import new_model
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import CheckpointError, WorldModelError
from rise_worldmodel.text import instruction_numbers
from rise_worldmodel.text_encoder import embed_texts

CONTRACT = small_contract(chunk_size=18)
TEXTS = ["sort bricks", "close"]
SMALL = {"heads": 2, "head_dim": 12, "layers": 4, "caption_channels": 10}


def write_text_encoder(root: Path) -> T5EncoderModel:
    """T5 as LTX-Video stores it (the embedding under the name `shared` alone), and a tokenizer of whole words."""
    config = T5Config(vocab_size=8, d_model=10, d_kv=4, d_ff=12, num_layers=2, num_heads=2)
    model = T5EncoderModel(config).eval()
    (root / "text_encoder").mkdir(parents=True)
    (root / "tokenizer").mkdir()
    (root / "text_encoder/config.json").write_text(json.dumps(config.to_dict()))
    tensors = {name: t.clone() for name, t in model.state_dict().items() if not name.startswith("encoder.embed_tokens")}
    save_file(tensors, root / "text_encoder/model.safetensors")
    words = ("<pad>", "</s>", "<unk>", "sort", "bricks", "close")
    content = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {w: n for n, w in enumerate(words)}, "unk_token": "<unk>"},
    }
    (root / "tokenizer/tokenizer.json").write_text(json.dumps(content))
    return model


def test_genie_envisioner_holds_the_embeddings_of_the_instructions(tmp_path: Path) -> None:
    encoder = write_text_encoder(tmp_path / "ltx")
    write_vae(tmp_path / "vae")
    config = tiny_ge_dynamics(views=len(CONTRACT.cameras), action_dim=CONTRACT.action_dim)
    tensors = ge_base_tensors(config)
    save_file(tensors, tmp_path / "ge.safetensors")
    paths = {"ge_base": tmp_path / "ge.safetensors", "vae": tmp_path / "vae", "text_encoder": tmp_path / "ltx"}
    choice = PublishedGenieEnvisionerModel(**SMALL, **{name: str(path) for name, path in paths.items()})
    model = new_model(choice, CONTRACT, (32, 64), TEXTS * 3)
    assert model.config.texts == ("close", "sort bricks") and not model.config.use_state
    assert torch.equal(model.transformer.view_embed, tensors["view_embed"])
    told = model.actions(instruction_numbers(TEXTS, model.config.texts, 512))
    assert told.mask.tolist() == [[True, True, True], [True, True, False]]
    with torch.no_grad():
        expected = encoder(input_ids=torch.tensor([[3, 4, 1]])).last_hidden_state[0]
    torch.testing.assert_close(told.tokens[0], expected)
    assert not told.embedding.any(), "frames are told apart by their timestep alone"


def test_a_text_encoder_that_is_not_there_or_too_long_a_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="tokenizer/tokenizer.json is missing"):
        embed_texts(tmp_path, TEXTS)
    write_text_encoder(tmp_path)
    with pytest.raises(WorldModelError, match="129 tokens; GE-Base reads 128"):
        embed_texts(tmp_path, ["close " * 128])
    assert PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer/tokenizer.json")).encode("sort") == [3]


def test_cosmos_stands_on_its_published_weights(tmp_path: Path) -> None:
    write_wan(tmp_path / "vae")
    choice = {"heads": 2, "head_dim": 16, "layers": 2, "caption_channels": 12}
    with pytest.raises(ConfigError, match="--training.model.cosmos: name the local directory of the transformer"):
        new_model(PublishedCosmosModel(**choice), CONTRACT, (32, 64))
    for rank in (8, 256):
        shaped = MultiViewDynamics(dataclasses.replace(tiny_cosmos_dynamics(), adaln_rank=rank)).transformer.model
        tensors = {name: torch.randn(tensor.shape) for name, tensor in shaped.state_dict().items()}
        save_file(tensors, tmp_path / f"{rank}.safetensors")
    peers = {
        rank: PublishedCosmosModel(**choice, cosmos=str(tmp_path / f"{rank}.safetensors"), vae=str(tmp_path / "vae"))
        for rank in (8, 256)
    }
    with pytest.raises(CheckpointError, match=r"linear_1.weight: \(8, 32\) in the file, \(256, 32\) in the model"):
        new_model(peers[8], CONTRACT, (32, 64))
    model = new_model(peers[256], CONTRACT, (32, 64))
    assert torch.equal(model.transformer.model.proj_out.weight, tensors["proj_out.weight"])
    assert model.config.codec.settings["latents_std"] == TINY_WAN["latents_std"]
    assert model.config.use_state and not model.config.control_maps


def test_every_size_has_its_peers() -> None:
    tiny, paper = get_preset("tiny").dynamics.model, get_preset("paper").dynamics.model
    assert peer_model(tiny, "genie_envisioner") == GenieEnvisionerModel(**vars(tiny))
    assert isinstance(peer_model(paper, "cosmos"), PublishedCosmosModel)
    assert isinstance(peer_model(paper, "genie_envisioner"), PublishedGenieEnvisionerModel)
    with pytest.raises(ConfigError, match="'dreamer'; there are: rise, genie_envisioner, cosmos"):
        peer_model(tiny, "dreamer")
