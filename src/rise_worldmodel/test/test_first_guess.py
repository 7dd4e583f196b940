"""Dynamics that begin with what their maps draw: better than the last frame before the first step of training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import ConfigError
from rise_worldmodel.first_guess import fit_first_guess
from rise_worldmodel.metrics import psnr
from rise_worldmodel.synthetic import moving_squares, small_dynamics


def drawn(count: int, seed: int = 0) -> tuple[tuple[Tensor, ...], Tensor]:
    """Clips, and maps of their squares at the ends of all groups, in another colour."""
    clips = moving_squares(count, seed)
    video = torch.cat(clips[:2], dim=1)
    maps = video[:, [3, 8, 13]].clone()
    maps[..., 2], maps[..., 0] = maps[..., 0], 40
    return clips, maps


@pytest.fixture(scope="module")
def model() -> MultiViewDynamics:
    torch.manual_seed(0)
    model = MultiViewDynamics(small_dynamics(control_maps=True)).eval()
    clips, maps = drawn(96)
    model.fit_codec(clips[1])
    fit_first_guess(model, *clips[:2], maps)
    return model


def test_untrained_dynamics_imagine_what_is_drawn(model: MultiViewDynamics) -> None:
    clips, maps = drawn(24, seed=1)
    imagined = model.sample(clips[0], *clips[2:], maps=maps)
    copied, ceiling = clips[0][:, -1:].expand_as(clips[1]), model.decode_future(clips[0], model.encode_future(clips[1]))
    assert psnr(imagined, clips[1]) > psnr(copied, clips[1]) + 3.0
    assert psnr(imagined, clips[1]) < psnr(ceiling, clips[1]), "the rest is left to learn"


def test_more_maps_show_what_lies_between_two() -> None:
    """A square that moves a pixel a frame: between maps five frames apart it is drawn at neither place."""
    torch.manual_seed(0)
    (clips, _), (others, _) = drawn(96), drawn(24, seed=1)
    found = []
    for each in (1, 5):
        dense = MultiViewDynamics(small_dynamics(control_maps=True, maps_per_group=each)).eval()
        dense.fit_codec(clips[1])
        steps = torch.tensor(dense.config.map_steps) + 3
        fit_first_guess(dense, *clips[:2], torch.cat(clips[:2], 1)[:, steps])
        imagined = dense.sample(others[0], *others[2:], maps=torch.cat(others[:2], 1)[:, steps])
        found.append(psnr(imagined, others[1]))
    assert found[1] > found[0] + 1.0


def test_the_guess_knows_no_noise_and_follows_other_maps(model: MultiViewDynamics) -> None:
    clips, maps = drawn(8, seed=2)
    once, again = (model.sample(clips[0], *clips[2:], maps=maps) for _ in range(2))
    assert torch.equal(once, again), "the network, which reads the noise, says nothing yet"
    others = model.sample(clips[0], *clips[2:], maps=maps.flip(0))
    assert not torch.equal(once, others)


def test_what_is_guessed_can_be_learned_from(model: MultiViewDynamics) -> None:
    clips, maps = drawn(8, seed=3)
    model.loss(*clips, maps=maps)["loss"].backward()
    assert model.transformer.proj_out.weight.grad.abs().sum() > 0


def test_dynamics_without_maps_have_nothing_to_guess_from() -> None:
    clips, maps = drawn(4)
    with pytest.raises(ConfigError, match="a first guess needs control maps"):
        fit_first_guess(MultiViewDynamics(small_dynamics()), *clips[:2], maps)
