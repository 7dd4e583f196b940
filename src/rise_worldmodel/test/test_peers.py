"""What dynamics may be conditioned on, and the peers of Table V behind the same interface."""

import dataclasses
from pathlib import Path

import pytest
import torch
from published import TINY_VAE, TINY_WAN, ge_base_tensors, tiny_cosmos_dynamics, tiny_ge_dynamics, write_wan
from safetensors.torch import save_file
from test_published_dynamics import clip

from rise_worldmodel.checkpoint import load_model, save_model
from rise_worldmodel.config import CodecConfig, DynamicsConfig, LtxVaeConfig, WanVaeConfig, cosmos_dynamics
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import CheckpointError, ConfigError
from rise_worldmodel.text import instruction_numbers
from rise_worldmodel.wan_vae import WanVaeCodec, wan_config

CODEC = CodecConfig(channels=12, content_channels=8)
SMALL = DynamicsConfig(2, 32, 32, 3, 20, 10, heads=2, head_dim=16, layers=2, codec=CODEC)
INSTRUCTED = dataclasses.replace(SMALL, condition="instruction", use_state=False, context_tokens=True)
BLIND = dataclasses.replace(SMALL, condition="nothing", use_state=False)
COSMOS = dataclasses.replace(SMALL, architecture="cosmos", context_tokens=True, learned_positions=False)


def build(config: DynamicsConfig) -> tuple[MultiViewDynamics, tuple[torch.Tensor, ...]]:
    torch.manual_seed(0)
    model, parts = MultiViewDynamics(config).eval(), clip(config)
    with torch.no_grad():  # outputs begin at zero in some of the architectures
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model, parts


def imagine(model: MultiViewDynamics, context: torch.Tensor, told: torch.Tensor, state: torch.Tensor | None = None):
    noise = torch.randn(len(context), *model.latent_shape, generator=torch.Generator().manual_seed(1))
    return model.sample(context, told, state, steps=2, noise=noise)


def test_without_action_conditioning_the_future_does_not_depend_on_the_chunk() -> None:
    for config, differs in ((BLIND, False), (dataclasses.replace(SMALL, use_state=False), True)):
        model, (context, _, actions, _) = build(config)
        assert torch.equal(imagine(model, context, actions), imagine(model, context, -actions)) != differs
        assert not torch.equal(imagine(model, context, actions), imagine(model, context.flip(0), actions))


def test_genie_envisioner_reads_the_instruction_and_pads_it_unseen() -> None:
    model, (context, _, _, _) = build(INSTRUCTED)
    words = [instruction_numbers([text], (), 512) for text in ("sort the bricks", "close")]
    both = instruction_numbers(["sort the bricks", "close"], (), 512)
    alone = [imagine(model, context[:1], row) for row in words]
    assert not torch.equal(*alone)
    one = model.actions(words[1]), model.actions(both)
    mixed = imagine(model, context[:1], both[1:])
    assert one[0].mask is not None and both.shape[1] > words[1].shape[1]
    torch.testing.assert_close(mixed.float(), alone[1].float(), atol=1, rtol=0)
    with pytest.raises(ConfigError, match="read instructions"):
        imagine(model, context, torch.zeros(2, 20, 3))


def test_instructions_of_a_text_encoder_are_known_or_refused() -> None:
    texts = ("close the box", "sort the bricks")
    assert instruction_numbers(texts[::-1], texts, 512).tolist() == [[1], [0]]
    with pytest.raises(ConfigError, match="no embedding of \\['fold'\\]"):
        instruction_numbers(["fold"], texts, 512)
    model, (context, _, _, _) = build(dataclasses.replace(INSTRUCTED, texts=texts, text_tokens=4))
    model.actions.table.normal_()
    model.actions.lengths.copy_(torch.tensor([2, 4]))
    before = imagine(model, context, torch.tensor([[0], [1]]))
    model.actions.table[0, 2:] += 1.0  # behind the end of the first text
    after = imagine(model, context, torch.tensor([[0], [1]]))
    assert torch.equal(before, after)
    model.actions.table[0, :2] += 1.0
    assert not torch.equal(before[0], imagine(model, context, torch.tensor([[0], [1]]))[0])


@pytest.mark.parametrize("config", [INSTRUCTED, BLIND, COSMOS], ids=["genie_envisioner", "no_actions", "cosmos"])
def test_peers_are_trained_stored_and_loaded_as_ours(config: DynamicsConfig, tmp_path: Path) -> None:
    model, (context, future, actions, state) = build(config)
    told = instruction_numbers(["a", "b c"], (), 512) if config.condition == "instruction" else actions
    own_state = state if config.use_state else None
    model.fit_codec(torch.randint(0, 256, (40, *future.shape[1:]), dtype=torch.uint8))
    loss = model.loss(context, future, told, own_state, generator=torch.Generator().manual_seed(0))["loss"]
    loss.backward()
    idle = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle, f"parameters that no loss reaches, which DistributedDataParallel refuses: {idle}"
    save_model(tmp_path / "model.safetensors", model)
    again = load_model(tmp_path / "model.safetensors")
    assert again.config == model.config
    assert torch.equal(imagine(again, context, told, own_state), imagine(model, context, told, own_state))


def test_cosmos_sees_views_side_by_side_and_actions_as_tokens() -> None:
    model, (context, _, actions, state) = build(COSMOS)
    model.fit_codec(torch.randint(0, 256, (40, 10, 2, 32, 32, 3), dtype=torch.uint8))
    plain = imagine(model, context, actions, state)
    assert not torch.equal(plain, imagine(model, context, -actions, state))
    other = context.clone()
    other[:, :, 1] = 255 - other[:, :, 1]
    changed = imagine(model, other, actions, state)
    assert not torch.equal(plain[:, :, 0], changed[:, :, 0]), "the first view attends to the second"
    tokens = model.actions(actions, state).tokens
    hidden = torch.arange(2 * 2 * 3 * 4 * 5.0).view(2, 2, 3, 4, 5)  # (B, V, T, N, c)
    seen = {}
    model.transformer.model.forward = lambda picture, **rest: seen.update(rest, picture=picture) or (picture[:, :5],)
    back = model.transformer(hidden, tokens, torch.tensor([[0.0, 500, 1000]] * 2), tokens, (2, 2))
    assert torch.equal(back, hidden), "pictures are taken apart as they were put together"
    assert torch.equal(seen["picture"][0, :5, 1, :, 2:].permute(1, 2, 0), hidden[0, 1, 1].view(2, 2, 5))
    assert seen["picture"][:, 5, 0].eq(1).all() and seen["picture"][:, 5, 1:].eq(0).all()
    assert seen["timestep"].flatten(1)[0].tolist() == pytest.approx([1e-4, 0.5, 1.0])


def test_cosmos_loads_published_layouts_and_names_misfits(tmp_path: Path) -> None:
    config = tiny_cosmos_dynamics()
    vae = write_wan(tmp_path / "vae")
    assert wan_config(tmp_path / "vae").patch == 8 and wan_config(tmp_path / "vae").frames_per_group == 4
    model = MultiViewDynamics(config)
    published = {name: torch.randn(tensor.shape) for name, tensor in model.transformer.model.state_dict().items()}
    text = {"crossattn_proj.0.weight": torch.zeros(3, 3)}
    save_file({**published, **text}, tmp_path / "transformer.safetensors")
    report = model.load_transformer(tmp_path / "transformer.safetensors")
    assert report.fits and report.unused == ("crossattn_proj.0.weight",)
    for name, tensor in model.transformer.model.state_dict().items():
        assert torch.equal(tensor, published[name]), name
    assert model.load_vae(tmp_path / "vae").fits
    assert isinstance(model.codec, WanVaeCodec)
    frames = clip(config)[1]
    video = frames.permute(0, 2, 5, 1, 3, 4).flatten(0, 1) / 127.5 - 1.0
    with torch.no_grad():
        expected = vae.encode(video).latent_dist.mode()
    mean, deviation = (torch.tensor(TINY_WAN[name]).view(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
    ours = model.encode_future(frames).permute(0, 1, 4, 2, 3).flatten(0, 1).flatten(3)
    torch.testing.assert_close(ours, ((expected - mean) / deviation).flatten(3), atol=1e-4, rtol=1e-4)
    del published["proj_out.weight"]
    save_file({**published, "odd.weight": torch.zeros(1)}, tmp_path / "broken.safetensors")
    with pytest.raises(CheckpointError, match="missing: \\['proj_out.weight'\\](.|\n)*unexpected: \\['odd.weight'\\]"):
        model.load_transformer(tmp_path / "broken.safetensors")


def test_cosmos_at_full_size_is_the_published_2b() -> None:
    with torch.device("meta"):
        config = cosmos_dynamics(14)
        model = MultiViewDynamics(config)
        assert model.latent_shape == (3, 7, 24 * 32, 16)
        own = model.transformer.model.state_dict()
        assert own["patch_embed.proj.weight"].shape == (2048, (16 + 2) * 4)
        assert own["transformer_blocks.27.attn2.to_k.weight"].shape == (2048, 1024)
        context, future, actions, state = clip(config, 1)
        assert model.loss(context, future, actions, state)["loss"].shape == ()
        assert model.sample(context, actions, state).shape == future.shape


def test_contradictions_and_families_of_codecs() -> None:
    for change, message in (
        ({"condition": "nothing"}, "use_state must be off"),
        ({"condition": "nothing", "use_state": False, "control_maps": True}, "draw the actions"),
        ({"texts": ("a",)}, "condition 'instruction'"),
        ({"architecture": "cosmos", "patch": 3}, "patches of 3"),
        ({"architecture": "vit"}, "one of 'ltx', 'cosmos'"),
    ):
        with pytest.raises(ConfigError, match=message):
            dataclasses.replace(SMALL, **change)
    for codec in (LtxVaeConfig(TINY_VAE), WanVaeConfig(TINY_WAN)):
        config = dataclasses.replace(
            tiny_cosmos_dynamics(), height=64, width=64, chunk_size=18, future_frames=9, codec=codec
        )
        assert DynamicsConfig.from_dict(config.to_dict()).codec == codec


def test_genie_envisioner_as_published_loads_ge_base(tmp_path: Path) -> None:
    config = tiny_ge_dynamics(condition="instruction", use_state=False)
    model = MultiViewDynamics(config)
    save_file(ge_base_tensors(config), tmp_path / "ge_base.safetensors")
    report = model.load_transformer(tmp_path)
    assert report.fits and not any("action" in name for name in report.matched)
