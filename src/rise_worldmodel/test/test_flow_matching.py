"""Straight paths: Euler follows them exactly, levels are drawn towards noise."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rise_worldmodel import flow_matching


@given(steps=st.integers(1, 20))
def test_euler_with_the_exact_velocity_recovers_the_target(steps: int) -> None:
    target, noise = torch.randn(3, 4), torch.randn(3, 4)
    levels = flow_matching.euler_levels(steps)
    result = flow_matching.euler(lambda x, s: noise - target, noise, levels)
    torch.testing.assert_close(result, target, atol=1e-5, rtol=1e-4)
    clean = flow_matching.euler(lambda x, s: flow_matching.velocity_from_clean(x, target, s), noise, levels)
    torch.testing.assert_close(clean, target, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("steps", [1, 5, 50])
def test_levels_start_at_noise_end_at_data_and_every_step_moves(steps: int) -> None:
    levels = flow_matching.euler_levels(steps)
    assert levels[0] == 1.0 and levels[-1] == 0.0 and len(levels) == steps + 1
    assert (levels.diff() < 0).all()


def test_logit_normal_levels_have_the_asked_mean_and_share() -> None:
    generator = torch.Generator().manual_seed(0)
    levels = flow_matching.sample_noise_levels(20000, mean=0.2, std=1.0, pure_noise_share=0.25, generator=generator)
    pure = levels == 1.0
    logits = torch.logit(levels[~pure])
    assert abs(pure.float().mean() - 0.25) < 0.01
    assert abs(logits.mean() - 0.2) < 0.03 and abs(logits.std() - 1.0) < 0.03


def test_level_zero_is_data_and_one_is_noise() -> None:
    clean, noise = torch.randn(2, 3), torch.randn(2, 3)
    torch.testing.assert_close(
        flow_matching.interpolate(clean, noise, torch.tensor([0.0, 1.0])), torch.stack([clean[0], noise[1]])
    )


def test_seeded_noise_of_a_row_does_not_depend_on_its_neighbours() -> None:
    batch = flow_matching.seeded_noise((2, 3), [7, 8, 9])
    assert torch.equal(batch[1], flow_matching.seeded_noise((2, 3), [8])[0])
    assert not torch.equal(batch[0], batch[1])
