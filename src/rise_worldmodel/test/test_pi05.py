"""pi0.5: the published sizes, transformers' arithmetic, a prefix that is read once, and weights key by key."""

import dataclasses
from pathlib import Path

import pytest
import torch
from published import EXPERT, GEMMA, VISION, lerobot_tensors, openpi_tensors, write_sharded
from safetensors.torch import save_file
from transformers import GemmaConfig, GemmaModel

from rise_worldmodel.errors import CheckpointError, ConfigError
from rise_worldmodel.pi05.backbone import PaliGemmaBackbone, Prefix, letterbox
from rise_worldmodel.pi05.config import Pi05Config, tiny_pi05
from rise_worldmodel.pi05.gemma import GemmaStack
from rise_worldmodel.pi05.layout import FRESH, backbone_only, to_ours
from rise_worldmodel.pi05.model import Pi05Model
from rise_worldmodel.pi05.tokenizer import ByteTokenizer, load_tokenizer, tokenize
from rise_worldmodel.pretrained import check_pretrained, load_pretrained

TINY = tiny_pi05()
PALIGEMMA_3B_224 = 2_923_335_408
"""Parameters of `pali_gemma_3b_224` as KerasHub publishes them (Gemma's embedding counted once)."""
GEMMA_300M = 311e6
"""Of the action expert without adaRMS, as openpi says."""


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def expressive(model: torch.nn.Module) -> torch.nn.Module:
    """`model` with every parameter random: nothing is hidden by a gate that begins at zero."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def read(model: Pi05Model, *, length: int = 7, padding: int = 0) -> Prefix:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand((2, 3, 3, 16, 16), generator=generator)
    tokens = torch.randint(4, 260, (2, length), generator=generator)
    present = torch.ones(2, length + padding, dtype=torch.bool)
    present[:, length:] = False
    return model.backbone(images, torch.nn.functional.pad(tokens, (0, padding), value=9), present)


def test_full_size_has_the_published_parameters_and_runs_on_the_meta_device() -> None:
    config = Pi05Config()
    with torch.device("meta"):
        model = Pi05Model(config, bins=10)
        assert count(model.backbone) == PALIGEMMA_3B_224
        adaptive = sum(count(module) for name, module in model.expert.named_modules() if name.endswith("dense"))
        assert count(model.expert) - adaptive == pytest.approx(GEMMA_300M, rel=2e-3)
        images, tokens = torch.empty(1, 3, 3, 224, 224), torch.empty(1, 60, dtype=torch.long)
        prefix = model.backbone(images, tokens, torch.ones(1, 60, dtype=torch.bool))
        assert prefix.hidden.shape == (1, 3 * 256 + 60, 2048)
        velocity = model.velocity(prefix, torch.empty(1, 50, 32), torch.empty(1), torch.empty(1, dtype=torch.long))
        assert velocity.shape == (1, 50, 32)


def test_a_stack_equals_transformers_gemma_and_so_does_one_that_reads_its_cache() -> None:
    config = GemmaConfig(
        hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=1, head_dim=8,
        num_hidden_layers=2, vocab_size=9, attn_implementation="eager",
    )  # fmt: skip
    reference = expressive(GemmaModel(config))
    ours = GemmaStack(32, 48, TINY).eval()
    ours.load_state_dict({name: t for name, t in reference.state_dict().items() if not name.startswith("embed")})
    tokens, everything = torch.randn(2, 9, 32), torch.zeros(2, 1, 9, 9)
    with torch.no_grad():
        expected = reference(inputs_embeds=tokens, attention_mask=everything, position_ids=torch.arange(9)[None])
        result, caches = ours(tokens, torch.arange(9).expand(2, 9), torch.ones(2, 1, 9, 9, dtype=torch.bool))
        torch.testing.assert_close(result, expected.last_hidden_state, atol=1e-4, rtol=1e-4)
        block = torch.ones(2, 1, 9, 9, dtype=torch.bool)
        block[..., :5, 5:] = False  # the first five never look at the rest: they can be computed on their own
        joint, _ = ours(tokens, torch.arange(9).expand(2, 9), block)
        _, caches = ours(tokens[:, :5], torch.arange(5).expand(2, 5), block[..., :5, :5])
        later, _ = ours(tokens[:, 5:], torch.arange(5, 9).expand(2, 4), block[..., 5:, :], past=caches)
    torch.testing.assert_close(later, joint[:, 5:], atol=1e-4, rtol=1e-4)


def test_an_adaptive_norm_of_constant_scale_is_gemmas_norm() -> None:
    plain = expressive(GemmaStack(32, 48, TINY))
    adaptive = GemmaStack(32, 48, TINY, condition_dim=5).eval()
    tensors = plain.state_dict()
    for name in [name for name in tensors if name.endswith("norm.weight")]:
        weight = tensors.pop(name)
        stem = name.removesuffix("weight") + "dense."
        tensors[stem + "weight"] = torch.zeros(96, 5)
        tensors[stem + "bias"] = torch.cat([weight, torch.zeros(32), torch.ones(32)])  # scale, shift, gate
    adaptive.load_state_dict(tensors)
    tokens, mask = torch.randn(1, 6, 32), torch.ones(1, 1, 6, 6, dtype=torch.bool)
    positions = torch.arange(6)[None]
    with torch.no_grad():
        expected = plain(tokens, positions, mask)[0]
        torch.testing.assert_close(
            adaptive(tokens, positions, mask, condition=torch.randn(1, 5))[0], expected, atol=1e-4, rtol=1e-4
        )


def test_time_bin_images_and_prompt_change_the_velocity_and_padding_does_not() -> None:
    model = expressive(Pi05Model(TINY, bins=10))
    noisy, time, bins = torch.randn(2, 6, 16), torch.tensor([0.3, 0.9]), torch.tensor([10, 10])
    with torch.no_grad():
        prefix = read(model)
        velocity = model.velocity(prefix, noisy, time, bins)
        torch.testing.assert_close(model.velocity(read(model, padding=3), noisy, time, bins), velocity)
        assert not torch.allclose(model.velocity(prefix, noisy, time + 0.05, bins), velocity, atol=1e-3)
        assert not torch.allclose(model.velocity(prefix, noisy, time, bins - 6), velocity, atol=1e-3)
        assert not torch.allclose(model.velocity(read(model, length=6), noisy, time, bins), velocity, atol=1e-3)


def test_a_bin_says_nothing_before_training() -> None:
    model = Pi05Model(TINY, bins=10)
    conditions = [model._condition(torch.tensor([0.5]), torch.tensor([label])) for label in (0, 10)]
    assert torch.equal(*conditions)


def test_recomputing_activations_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = Pi05Model(dataclasses.replace(TINY, checkpointing=checkpointing), bins=10)
        expressive(model).train()
        model.velocity(
            read(model), torch.ones(2, 6, 16), torch.full((2,), 0.5), torch.ones(2, dtype=torch.long)
        ).sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 40
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)


@pytest.mark.parametrize("layout", ["openpi file", "openpi shards", "lerobot"])
def test_published_layouts_fill_every_parameter(layout: str, tmp_path: Path) -> None:
    tensors = openpi_tensors(TINY) if layout.startswith("openpi") else lerobot_tensors(TINY)
    if layout == "openpi shards":
        write_sharded(tmp_path, tensors)
    else:
        save_file(tensors, tmp_path / "model.safetensors")
    model = Pi05Model(TINY, bins=10)
    report = load_pretrained(model, tmp_path, to_ours, fresh=FRESH)
    assert report.fresh == ("bin_embedding.weight",) and len(report.unused) == 1
    assert len(report.matched) == len(model.state_dict()) - 1
    named = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    layer = model.expert.layers[1]
    torch.testing.assert_close(
        layer.input_layernorm.dense.weight, named[EXPERT + "layers.1.input_layernorm.dense.weight"]
    )
    torch.testing.assert_close(
        model.backbone.language_model.embed_tokens.weight, named["paligemma_with_expert.paligemma.lm_head.weight"]
    )
    torch.testing.assert_close(
        model.backbone.vision_tower.embeddings.patch_embedding.bias, named[VISION + "embeddings.patch_embedding.bias"]
    )


def test_the_backbone_alone_takes_its_part(tmp_path: Path) -> None:
    save_file(openpi_tensors(TINY), tmp_path / "model.safetensors")
    backbone = PaliGemmaBackbone(TINY)
    report = load_pretrained(backbone, tmp_path, backbone_only)
    assert not report.fresh and len(report.matched) == len(backbone.state_dict())
    assert any(name.startswith(EXPERT) for name in report.unused)


def test_every_key_that_does_not_fit_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    tensors = openpi_tensors(TINY)
    del tensors[GEMMA + "norm.weight"]
    tensors["state_proj.weight"] = torch.zeros(1)
    tensors["action_in_proj.bias"] = torch.zeros(3)
    path = tmp_path / "model.safetensors"
    save_file(tensors, path)
    with torch.device("meta"):
        report = check_pretrained(Pi05Model(TINY, bins=10), path, to_ours, fresh=FRESH)
    assert report.missing == ("backbone.language_model.norm.weight",)
    assert report.unexpected == ("state_proj.weight",)
    assert report.mis_shaped == ("action_in_proj.bias: (3,) in the file, (16,) in the model",)
    model = Pi05Model(TINY, bins=10)
    before = model.action_out_proj.weight.clone()
    with pytest.raises(CheckpointError, match=r"missing: \['backbone.language_model.norm.weight'\](.|\n)*state_proj"):
        load_pretrained(model, path, to_ours, fresh=FRESH)
    assert torch.equal(model.action_out_proj.weight, before)


def test_tied_weights_that_differ_are_refused(tmp_path: Path) -> None:
    tensors = lerobot_tensors(TINY)
    tensors["model." + GEMMA + "embed_tokens.weight"] += 1.0
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="embed_tokens.weight, but differ"):
        load_pretrained(Pi05Model(TINY, bins=10), tmp_path, to_ours, fresh=FRESH)


@pytest.mark.parametrize("content", [{}, {"a.safetensors": b"", "b.safetensors": b""}, {"a.safetensors": b"junk"}])
def test_a_directory_without_one_checkpoint_is_named(content: dict[str, bytes], tmp_path: Path) -> None:
    for name, raw in content.items():
        (tmp_path / name).write_bytes(raw)
    with pytest.raises(CheckpointError, match="expected one .safetensors file|cannot read"):
        load_pretrained(Pi05Model(TINY, bins=10), tmp_path, to_ours)


def test_letterboxing_keeps_the_aspect_ratio_between_black_bars() -> None:
    frames = torch.full((1, 12, 16, 3), 255, dtype=torch.uint8)
    boxed = letterbox(frames, 32)
    assert boxed.shape == (1, 3, 32, 32)
    assert (boxed[:, :, :4] == -1).all() and (boxed[:, :, -4:] == -1).all()
    torch.testing.assert_close(boxed[:, :, 4:-4], torch.ones(1, 3, 24, 32))


def test_prompts_are_padded_and_never_cut() -> None:
    tokens, present = tokenize(ByteTokenizer(), ["ab", "abc"], TINY)
    assert tokens.tolist() == [[2, 101, 102, 0], [2, 101, 102, 103]]
    assert present.tolist() == [[True, True, True, False], [True] * 4]
    with pytest.raises(ConfigError, match="301 tokens"):
        tokenize(ByteTokenizer(), ["x" * 300], TINY)


def test_a_model_of_words_asks_for_its_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs PaliGemma's tokenizer.json"):
        load_tokenizer(tmp_path, Pi05Config())
