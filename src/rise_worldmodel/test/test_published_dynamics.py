"""GE-Base and LTX-Video's VAE: their layouts at small width, their arithmetic, their sizes on the meta device."""

import dataclasses
from pathlib import Path

import pytest
import torch
from diffusers import LTXVideoTransformer3DModel
from published import TINY_VAE, ge_base_tensors, tiny_ge_dynamics, write_sharded, write_vae
from safetensors.torch import save_file

from rise_worldmodel import checkpoint
from rise_worldmodel.config import DynamicsConfig, LtxVaeConfig, paper_dynamics
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import CheckpointError, ConfigError, ShapeError
from rise_worldmodel.ltx_vae import LtxVaeCodec, vae_config
from rise_worldmodel.transformer import MultiViewTransformer


def clip(config: DynamicsConfig, batch: int = 2) -> tuple[torch.Tensor, ...]:
    """Random context, future, actions and state."""
    size = (config.views, config.height, config.width, 3)
    frames = torch.randint(0, 256, (batch, config.context_frames + config.future_frames, *size), dtype=torch.uint8)
    actions = torch.randn(batch, config.chunk_size, config.action_dim)
    return frames[:, : config.context_frames], frames[:, config.context_frames :], actions, actions[:, 0]


def write_ge_base(directory: Path, config: DynamicsConfig, **more: torch.Tensor) -> Path:
    directory.mkdir()
    save_file({**ge_base_tensors(config), **more}, directory / "ge_base.safetensors")
    return directory


def test_full_size_is_ltx_video_and_the_view_layers_of_ge_base() -> None:
    config = paper_dynamics(14)
    with torch.device("meta"):
        model, ltx = MultiViewDynamics(config), LTXVideoTransformer3DModel()
        own, published = model.transformer.state_dict(), ltx.state_dict()
        assert {name: own[name].shape for name in published} == {name: t.shape for name, t in published.items()}
        extra = {name: tuple(own[name].shape) for name in own.keys() - published.keys()}
        assert extra == {"view_embed": (3, 2048), "view_ada.1.weight": (12288, 2048), "view_ada.1.bias": (12288,)}
        crossing = [block.attn1.processor.views == 3 for block in model.transformer.transformer_blocks]
        assert crossing == [number % 3 == 0 for number in range(28)]
        context, future, actions, state = clip(config, 1)
        assert model.encode_future(future).shape == (1, 3, 4, 6 * 8, 128)
        assert model.loss(context, future, actions, state)["loss"].shape == ()
        assert model.sample(context, actions, state, steps=1).shape == future.shape


def test_the_view_modulates_blocks_as_in_ge_base() -> None:
    sizes = {"in_channels": 6, "out_channels": 6, "num_layers": 2, "caption_channels": 10}
    sizes |= {"num_attention_heads": 2, "attention_head_dim": 24}
    scale = (8 / 30, 32.0, 32.0)
    ours = MultiViewTransformer(**sizes, views=1, rotary=True, rotary_scale=scale, view_modulation=True).eval()
    torch.nn.init.normal_(ours.view_embed)
    reference = LTXVideoTransformer3DModel(**sizes, cross_attention_dim=48).eval()
    reference.load_state_dict({name: t for name, t in ours.state_dict().items() if not name.startswith("view")})
    hidden, words = torch.randn(2, 3 * 4, 6), torch.randn(2, 5, 10)
    with torch.no_grad():  # GE-Base adds view_ada(view) to the modulation of blocks and the view to that of the output
        reference.time_embed.linear.bias += ours.view_ada(ours.view_embed)[0]
        reference.scale_shift_table += ours.view_embed
        expected = reference(
            hidden, words, torch.full((2,), 300.0), torch.ones(2, 5), 3, 2, 2, rope_interpolation_scale=scale
        ).sample
        found = ours(hidden.view(2, 1, 3, 4, 6), words, torch.full((2, 3), 300.0), torch.zeros(2, 3, 48), grid=(2, 2))
    torch.testing.assert_close(found.flatten(1, 3), expected, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("sharded", [False, True])
def test_published_weights_fill_transformer_and_codec(sharded: bool, tmp_path: Path) -> None:
    config = tiny_ge_dynamics()
    tensors, vae = ge_base_tensors(config), write_vae(tmp_path / "vae")
    if sharded:
        write_sharded(tmp_path / "ge", tensors, "diffusion_pytorch_model")
    else:
        (tmp_path / "ge").mkdir()
        save_file(tensors, tmp_path / "ge" / "ge_base_fast_v0.1.safetensors")
    model = MultiViewDynamics(dataclasses.replace(config, codec=vae_config(tmp_path / "vae")))
    reports = model.load_transformer(tmp_path / "ge"), model.load_vae(tmp_path / "vae")
    assert all(report.fits and not report.fresh and not report.unused for report in reports)
    for name, tensor in tensors.items():
        torch.testing.assert_close(model.transformer.state_dict()[name], tensor, msg=name)
    for name, tensor in vae.state_dict().items():
        torch.testing.assert_close(model.codec.vae.state_dict()[name], tensor, msg=name)


def test_the_action_expert_of_ge_act_is_left_out_and_anything_else_is_named(tmp_path: Path) -> None:
    config = tiny_ge_dynamics()
    write_vae(tmp_path / "vae")
    act = write_ge_base(tmp_path / "act", config, **{"action_proj_in.weight": torch.zeros(2, 2)})
    report = MultiViewDynamics(config).load_transformer(act)
    assert report.unused == ("action_proj_in.weight",)
    wrong = write_ge_base(
        tmp_path / "wrong", config, **{"caption_projection.linear_1.bias": torch.zeros(7), "wings": torch.zeros(1)}
    )
    with pytest.raises(
        CheckpointError, match=r"unexpected: \['wings'\](.|\n)*caption_projection.linear_1.bias: \(7,\)"
    ):
        MultiViewDynamics(config).load_transformer(wrong)


def test_a_plain_ltx_checkpoint_lacks_the_view_layers(tmp_path: Path) -> None:
    config = tiny_ge_dynamics()
    write_vae(tmp_path / "vae")
    tensors = {name: t for name, t in ge_base_tensors(config).items() if not name.startswith("view")}
    save_file(tensors, tmp_path / "ltx.safetensors")
    with pytest.raises(CheckpointError, match=r"missing: \['view_ada.1.bias', 'view_ada.1.weight', 'view_embed'\]"):
        MultiViewDynamics(config).load_transformer(tmp_path / "ltx.safetensors")


def test_latents_are_normalised_on_the_way_in_and_back_on_the_way_out(tmp_path: Path) -> None:
    vae = write_vae(tmp_path / "vae")
    codec = LtxVaeCodec(vae_config(tmp_path / "vae"))
    codec.load_published(tmp_path / "vae")
    frames = torch.randint(0, 256, (2, 9, 3, 32, 64, 3), dtype=torch.uint8)
    latents = codec.future(frames)
    assert latents.shape == (2, 3, 2, 2, 8)
    with torch.no_grad():
        video = frames[1, :, 2].permute(3, 0, 1, 2)[None] / 127.5 - 1.0  # sample 1, view 2
        mode = vae.encode(video).latent_dist.mode()
        plain = (mode - vae.latents_mean.view(1, -1, 1, 1, 1)) / vae.latents_std.view(1, -1, 1, 1, 1)
        torch.testing.assert_close(latents[1, 2], plain[0].flatten(2).permute(1, 2, 0), atol=1e-4, rtol=1e-4)
        decoded = ((vae.decode(mode).sample.clamp(-1, 1) + 1) * 127.5).round()[0].permute(1, 2, 3, 0)
    found = codec.frames(latents, (1, 2), frames[:, -1])
    assert found.shape == frames.shape and found.dtype == torch.uint8
    assert (found[1, :, 2].float() - decoded).abs().max() <= 1


def test_every_context_frame_is_a_clip_of_its_own() -> None:
    codec = LtxVaeCodec(LtxVaeConfig(TINY_VAE))
    frames = torch.randint(0, 256, (2, 4, 3, 32, 64, 3), dtype=torch.uint8)
    context = codec.context(frames)
    assert context.motion.shape == (2, 3, 4, 2, 8) and context.content.shape[-1] == 0
    torch.testing.assert_close(context.motion[:, :, 2:3], codec.future(frames[:, 2:3]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(context.still, context.motion[:, :, -1:])
    with pytest.raises(ShapeError, match="one more than a multiple of 8"):
        codec.future(frames)


def test_it_trains_without_touching_the_vae_and_comes_back_from_disk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MultiViewDynamics(tiny_ge_dynamics()).train()
    context, future, actions, state = clip(model.config)
    model.loss(context, future, actions, state)["loss"].backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert trained == {name for name, _ in model.named_parameters() if not name.startswith("codec.")}
    assert not model.codec.vae.training
    checkpoint.save_model(tmp_path / "model.safetensors", model)
    loaded = checkpoint.load_model(tmp_path / "model.safetensors")
    assert loaded.config == model.config
    noise = torch.randn(2, *model.latent_shape)
    imagined = model.eval().sample(context, actions, state, noise=noise, steps=2)
    assert imagined.shape == future.shape
    assert torch.equal(loaded.sample(context, actions, state, noise=noise, steps=2), imagined)


def test_actions_reach_the_group_of_their_frames() -> None:
    model = MultiViewDynamics(tiny_ge_dynamics())
    _, _, actions, state = clip(model.config, 1)
    later = actions.clone()
    later[:, 2:] += 1.0  # all but the first frame's two actions
    first, second = (model.actions(chunk, state)[0][:, -2:] for chunk in (actions, later))
    torch.testing.assert_close(first[:, 0], second[:, 0])
    assert not torch.allclose(first[:, 1], second[:, 1])


def test_a_folder_that_is_no_ltx_vae_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected the folder `vae`"):
        vae_config(tmp_path)
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderKLWan"}')
    with pytest.raises(CheckpointError, match="AutoencoderKLWan"):
        vae_config(tmp_path)
    with pytest.raises(ConfigError, match="must be a multiple of the VAE's 8"):
        paper_dynamics(14, future_frames=10)
