"""Dynamics that are trained to be read by a value model as true frames are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rise_worldmodel.config import ValueConfig, tiny_dynamics
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import ConfigError, ShapeError
from rise_worldmodel.value import ValueModel
from rise_worldmodel.value_consistency import ValueConsistency

VALUE = ValueConfig(views=3, height=48, width=64, encoder_of_view=(0, 1, 1), full_resolution=(True, False))
WORDS = ["sort", "sort"]


def clips(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Context (2, 4, 3, 48, 64, 3) and future (2, 25, ...) of squares that move."""
    frames = torch.zeros(2, 29, 3, 48, 64, 3, dtype=torch.uint8)
    for t in range(29):
        frames[0, t, :, 10:20, t : t + 10] = 200
        frames[1, t, :, 30:40, 40 - t : 50 - t] = 120
    noise = torch.randint(0, 30, frames.shape, generator=torch.Generator().manual_seed(seed))
    return ((frames + noise.to(torch.uint8))[:, :4], (frames + noise.to(torch.uint8))[:, 4:])


@pytest.fixture(scope="module")
def model() -> MultiViewDynamics:
    torch.manual_seed(0)
    model = MultiViewDynamics(tiny_dynamics(14))
    model.fit_codec(torch.cat([clips(seed)[1] for seed in range(6)]))
    return model


@pytest.fixture(scope="module")
def consistency() -> ValueConsistency:
    torch.manual_seed(1)
    return ValueConsistency(ValueModel(VALUE), 1.0)


def test_differentiable_frames_are_the_decoded_ones(model: MultiViewDynamics) -> None:
    context, future = clips()
    latents = model.encode_future(future)
    latents = (latents + 0.1 * torch.randn(latents.shape)).requires_grad_()
    exact = model.decode_future(context, latents.detach())
    shown = model.codec.differentiable_frames(latents, model.config.grid, context[:, -1])
    assert (shown.detach() - exact.float()).abs().max() <= 0.51, "but for rounding"
    shown.sum().backward()
    assert latents.grad is not None and latents.grad.abs().sum() > 0


def test_true_frames_are_consistent_and_others_are_not(consistency: ValueConsistency) -> None:
    future = clips()[1]
    same = consistency(future.float().requires_grad_(), future, WORDS)
    other = consistency(future.flip(0).float().requires_grad_(), future, WORDS)
    assert same["loss"].item() == pytest.approx(0.0, abs=1e-9)
    assert other["value_error"] > 0 and other["loss"] > other["value_error"]


def test_the_last_frame_is_always_compared(consistency: ValueConsistency) -> None:
    future = clips()[1]
    for seed in range(5):
        imagined = future.float()
        imagined[:, -1] = 0.0
        found = consistency(imagined.requires_grad_(), future, WORDS, torch.Generator().manual_seed(seed))
        assert found["loss"] > 0


def test_training_brings_the_values_together_and_leaves_the_value_model_alone(
    model: MultiViewDynamics, consistency: ValueConsistency
) -> None:
    """Five steps along the gradient of the consistency alone: it reaches the network through codec and value model."""
    context, future = clips()
    actions, state = torch.zeros(2, 50, 14), torch.zeros(2, 14)
    before = [parameter.clone() for parameter in consistency.value.parameters()]

    def only(frames: Tensor, true: Tensor) -> dict[str, Tensor]:
        return consistency(frames, true, WORDS, torch.Generator().manual_seed(0))

    def loss(extra: Callable[[Tensor, Tensor], dict[str, Tensor]] | None) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(0)
        return model.loss(context, future, actions, state, consistency=extra, generator=generator)

    optimizer = torch.optim.SGD(model.transformer.parameters(), lr=0.05)
    first = loss(only)
    for _ in range(5):
        optimizer.zero_grad()
        (loss(only)["loss"] - loss(None)["loss"]).backward()
        optimizer.step()
    assert loss(only)["value_error"] + loss(only)["feature_error"] < first["value_error"] + first["feature_error"]
    assert all(torch.equal(a, b) for a, b in zip(before, consistency.value.parameters(), strict=True))


def test_latents_in_place_of_frames_are_refused(model: MultiViewDynamics, consistency: ValueConsistency) -> None:
    context, future = clips()
    with pytest.raises(ConfigError, match="value_weight need future frames"):
        model.loss(
            context, model.encode_future(future), torch.zeros(2, 50, 14), torch.zeros(2, 14), consistency=consistency
        )
    velocity = MultiViewDynamics(dataclasses.replace(model.config, prediction="velocity"))
    with pytest.raises(ConfigError, match="predict clean latents"):
        velocity.loss(context, future, torch.zeros(2, 50, 14), torch.zeros(2, 14), consistency=consistency)


def test_frames_in_floating_point_are_for_gradients_only(consistency: ValueConsistency) -> None:
    with pytest.raises(ShapeError, match="uint8"):
        consistency.value(clips()[1][:, 0].float() / 255.0, WORDS)
