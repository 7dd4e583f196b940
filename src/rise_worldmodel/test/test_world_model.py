"""Imagination composes dynamics, value and Eq. 2, sample by sample, and chains."""

from itertools import pairwise

import pytest
import torch

from rise_worldmodel.advantage import advantage
from rise_worldmodel.config import ValueConfig
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import ConfigError
from rise_worldmodel.synthetic import moving_squares, small_dynamics
from rise_worldmodel.trust import TrustConfig, other_seeds, reconstruction_error
from rise_worldmodel.value import ValueModel
from rise_worldmodel.world_model import CompositionalWorldModel

VALUE = ValueConfig(1, 16, 32, (0,), (True,), channels=(8, 16), feature_dim=16, hidden=32)


@pytest.fixture(scope="module")
def world() -> CompositionalWorldModel:
    torch.manual_seed(0)
    dynamics = MultiViewDynamics(small_dynamics())
    clips = moving_squares(16)
    dynamics.fit_codec(clips[1])
    return CompositionalWorldModel(dynamics, ValueModel(VALUE), micro_batch=3, bfloat16=False)


def _start(count: int) -> tuple:
    context, _, actions, state = moving_squares(count, seed=5)
    return context, state, actions, ["push"] * count


def test_advantage_is_eq_2_of_the_values_of_its_own_frames(world: CompositionalWorldModel) -> None:
    start = _start(5)
    result = world.imagine(*start, seeds=range(5))
    assert result.frames.shape == (5, 10, 1, 16, 32, 3) and result.values.shape == (5, 10)
    values = world.values_of(result.frames, start[3])
    now = world.values_of(start[0][:, -1:], start[3])[:, 0]
    torch.testing.assert_close(result.values, values, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(result.advantage, advantage(values, now), atol=1e-5, rtol=1e-4)


def test_values_are_computed_in_portions_that_bound_the_memory(
    world: CompositionalWorldModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _, _, words = _start(5)
    at_once = world.values_of(context, words)
    sizes: list[int] = []
    hook = world.value.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    monkeypatch.setattr(type(world.value), "frames_at_once", 3)
    in_portions = world.values_of(context, words)
    hook.remove()
    torch.testing.assert_close(in_portions, at_once, atol=1e-5, rtol=1e-4)
    assert max(sizes) == 3 and sum(sizes) == context.shape[0] * context.shape[1]


def test_bfloat16_follows_the_networks_to_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rise_worldmodel.world_model.has_bfloat16", lambda device: device.type == "meta")
    model = CompositionalWorldModel(MultiViewDynamics(small_dynamics()), ValueModel(VALUE))
    assert not model.bfloat16
    model.dynamics.to("meta")
    assert model.bfloat16


def test_a_sample_depends_on_its_seed_and_not_on_its_batch(world: CompositionalWorldModel) -> None:
    context, state, chunks, words = _start(5)
    together = world.imagine(context, state, chunks, words, seeds=[4, 5, 6, 7, 8])
    alone = world.imagine(context[4:], state[4:], chunks[4:], words[4:], seeds=[8])
    other = world.imagine(context[4:], state[4:], chunks[4:], words[4:], seeds=[9])
    assert (together.frames[4].int() - alone.frames[0].int()).abs().max() <= 1
    assert (alone.frames.int() - other.frames.int()).abs().max() > 1
    torch.testing.assert_close(together.advantage[4:], alone.advantage, atol=1e-3, rtol=1e-2)


def test_the_second_chunk_starts_from_the_last_imagined_frames(world: CompositionalWorldModel) -> None:
    start = _start(2)
    first = world.imagine(*start, seeds=[0, 1])
    assert torch.equal(first.next_context(), first.frames[:, -4:])
    second = world.imagine(first.next_context(), start[1], start[2], start[3], seeds=[0, 1])
    torch.testing.assert_close(second.value_now, first.values[:, -1], atol=1e-5, rtol=1e-4)


def test_a_value_stride_keeps_the_last_frame(world: CompositionalWorldModel) -> None:
    start = _start(2)
    every = world.imagine(*start, seeds=[0, 1])
    world.value_stride = 3
    try:
        some = world.imagine(*start, seeds=[0, 1])
    finally:
        world.value_stride = 1
    torch.testing.assert_close(some.values, every.values[:, [0, 3, 6, 9]], atol=1e-5, rtol=1e-4)


def test_models_are_frozen_and_must_agree_on_frames(world: CompositionalWorldModel) -> None:
    assert not any(p.requires_grad for p in [*world.dynamics.parameters(), *world.value.parameters()])
    with pytest.raises(ConfigError, match="differ"):
        CompositionalWorldModel(world.dynamics, ValueModel(ValueConfig(1, 32, 32, (0,), (True,))))


def test_trust_repeats_an_imagination_and_leaves_it_as_it_was(world: CompositionalWorldModel) -> None:
    """Its own noise for every repetition: a copy of the same noise would agree with everything."""
    start = _start(4)
    plain = world.imagine(*start, seeds=range(4))
    assert plain.trust is None and plain.doubt is None
    world.trust = TrustConfig(repeats=2, steps=3)
    try:
        asked = world.imagine(*start, seeds=range(4))
    finally:
        world.trust = None
    assert torch.equal(asked.frames, plain.frames) and torch.equal(asked.values, plain.values)
    assert asked.doubt is not None and (asked.doubt.frames > 0).all()
    other = [
        world.imagine(*start, seeds=other_seeds(range(4), repeat), steps=3).values - plain.values for repeat in (1, 2)
    ]
    expected = torch.stack([difference.pow(2).mean(1) for difference in other]).mean(0).sqrt()
    torch.testing.assert_close(asked.doubt.values, expected, atol=1e-5, rtol=1e-3)


def test_trust_falls_with_the_largest_jump_of_v(world: CompositionalWorldModel) -> None:
    start = _start(4)
    world.trust = TrustConfig()
    try:
        asked = world.imagine(*start, seeds=range(4))
    finally:
        world.trust = None
    assert asked.doubt is not None and asked.doubt.values.isnan().all(), "nothing was repeated"
    curve = torch.cat([asked.value_now[:, None], asked.values], dim=1).tolist()
    jumps = [max(abs(b - a) for a, b in pairwise(row)) for row in curve]
    torch.testing.assert_close(asked.trust, torch.exp(-torch.tensor(jumps) / 0.5), atol=1e-5, rtol=1e-4)


def test_a_scene_that_the_codec_does_not_know_is_doubted(world: CompositionalWorldModel) -> None:
    present = _start(2)[0][:, -1].clone()
    present[1] = torch.randint(0, 256, present[1].shape, dtype=torch.uint8)
    known, unknown = reconstruction_error(world.dynamics, present).tolist()
    assert known < 0.1 < 0.2 < unknown
