"""The value model on pi0.5's backbone: what it reads, how it learns, and that imagination takes it as any other."""

from pathlib import Path

import pytest
import torch
from published import openpi_tensors, write_tokenizer
from safetensors.torch import save_file

from rise_worldmodel import checkpoint
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import ConfigError, ShapeError
from rise_worldmodel.pi05.config import Pi05Config, tiny_pi05
from rise_worldmodel.pi05.tokenizer import ByteTokenizer, load_tokenizer
from rise_worldmodel.pi05.value import Pi05Value, Pi05ValueConfig
from rise_worldmodel.synthetic import moving_squares, small_dynamics
from rise_worldmodel.world_model import CompositionalWorldModel

SMALL = Pi05ValueConfig(2, 16, 24, auxiliary_dim=3, architecture=tiny_pi05())


def make(config: Pi05ValueConfig = SMALL) -> Pi05Value:
    return Pi05Value(config, ByteTokenizer())


def test_every_view_and_the_instruction_matter_and_padding_does_not() -> None:
    model = make().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    frames = torch.randint(0, 256, (1, 2, 16, 24, 3), dtype=torch.uint8)
    with torch.no_grad():
        value = model(frames, ["sort"]).value
        for view in (0, 1):
            changed = frames.clone()
            changed[:, view] = 255 - changed[:, view]
            assert not torch.allclose(model(changed, ["sort"]).value, value, atol=1e-3)
        assert not torch.allclose(model(frames, ["pack"]).value, value, atol=1e-3)
        beside = model(frames.expand(2, -1, -1, -1, -1), ["sort", "sort the bricks"]).value
    torch.testing.assert_close(beside[:1], value, atol=1e-5, rtol=1e-4)


def test_it_learns_a_difference_of_one_view() -> None:
    frames = torch.full((8, 2, 16, 24, 3), 90, dtype=torch.uint8)
    target = torch.arange(8) % 2
    frames[target == 1, 0] = 220
    model, losses = make(), []
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(60):
        output = model(frames, ["sort the bricks"] * 8)
        losses.append(((output.value - target) ** 2).mean())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.05 and output.auxiliary.shape == (8, 3)


@pytest.mark.parametrize("words", [(), ("Task", "sort")])
def test_published_backbone_and_tokenizer_come_back_from_disk(tmp_path: Path, words: tuple[str, ...]) -> None:
    save_file(openpi_tensors(tiny_pi05()), tmp_path / "model.safetensors")
    if words:
        write_tokenizer(tmp_path, words)
    model = Pi05Value(SMALL, load_tokenizer(tmp_path, SMALL.architecture)).eval()
    assert model.load_published(tmp_path).fits
    checkpoint.save_model(tmp_path / "run" / "model.safetensors", model)
    loaded = checkpoint.load_model(tmp_path / "run" / "model.safetensors")
    frames = torch.randint(0, 256, (2, 2, 16, 24, 3), dtype=torch.uint8)
    assert loaded.config == SMALL
    with torch.no_grad():
        assert torch.equal(loaded(frames, ["sort", "a"]).value, model(frames, ["sort", "a"]).value)


def test_imagination_is_judged_by_it() -> None:
    dynamics = MultiViewDynamics(small_dynamics())
    context, future, actions, state = moving_squares(16)
    dynamics.fit_codec(future)
    value = make(Pi05ValueConfig(1, 16, 32, architecture=tiny_pi05()))
    world = CompositionalWorldModel(dynamics, value, micro_batch=2, bfloat16=False)
    context, state, actions = context[:3], state[:3], actions[:3]
    found = world.imagine(context, state, actions, ["push", "push the square", "push"], seeds=[0, 1, 2])
    alone = world.imagine(context[1:2], state[1:2], actions[1:2], ["push the square"], seeds=[1])
    assert found.values.shape == (3, 10)
    torch.testing.assert_close(found.advantage[1:2], alone.advantage, atol=1e-3, rtol=1e-2)


def test_what_does_not_fit_is_refused() -> None:
    frames = torch.zeros(2, 2, 16, 24, 3, dtype=torch.uint8)
    with pytest.raises(ShapeError, match="expected 2 instructions, got none"):
        make()(frames)
    with pytest.raises(ShapeError, match="uint8"):
        make()(frames.float(), ["a", "b"])
    with pytest.raises(ConfigError, match="tokenizer.json"):
        load_tokenizer(None, Pi05Config())
