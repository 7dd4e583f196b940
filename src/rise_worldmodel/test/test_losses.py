"""Eq. 2, 5 and 6 and the auxiliary loss against numbers computed by hand."""

import math

import pytest
import torch

from rise_worldmodel.advantage import advantage
from rise_worldmodel.losses import auxiliary_loss, progress_loss, progress_target, td_loss, td_target


def test_eq_2_by_hand() -> None:
    values = torch.tensor([[0.2, 0.4, 0.6], [0.5, 0.1, -0.9]])
    result = advantage(values, torch.tensor([0.3, 0.5]))
    torch.testing.assert_close(result, torch.tensor([0.1, -0.6]))


def test_eq_5_counts_expert_samples_only() -> None:
    target = progress_target(torch.tensor([0, 30, 60]), torch.tensor([60, 60, 60]))
    torch.testing.assert_close(target, torch.tensor([0.0, 0.5, 1.0]))
    value = torch.tensor([0.1, 0.7, 5.0])
    loss = progress_loss(value, target, torch.tensor([True, True, False]))
    assert loss.item() == pytest.approx((0.01 + 0.04) / 2)
    assert progress_loss(value, target, torch.zeros(3, dtype=torch.bool)).item() == 0.0


def test_eq_6_by_hand() -> None:
    following = torch.tensor([0.4, 9.0, 9.0])
    terminal = torch.tensor([False, True, True])
    success = torch.tensor([True, True, False])
    target = td_target(following, terminal, success)
    torch.testing.assert_close(target, torch.tensor([0.995 * 0.4, 1.0, -1.0]))
    assert td_loss(torch.tensor([0.398, 0.5, -1.0]), target).item() == pytest.approx(0.25 / 3)


def test_released_rewards_and_clamp() -> None:
    following, flags = torch.tensor([1.5, 0.0]), torch.tensor([False, True])
    target = td_target(following, flags, torch.tensor([True, False]), failure_reward=-0.6, clamp=(-1.0, 1.0))
    torch.testing.assert_close(target, torch.tensor([1.0, -0.6]))


def test_the_td_target_is_not_differentiated() -> None:
    following = torch.tensor([0.4], requires_grad=True)
    assert not td_target(following, torch.tensor([False]), torch.tensor([True])).requires_grad


def test_auxiliary_loss_ignores_unknown_objects() -> None:
    logits = torch.tensor([[0.0, 0.0, 9.0, -9.0], [math.log(3.0), 0.0, 1.0, 2.0]])
    classes = torch.tensor([[0, -1], [0, -1]])
    assert auxiliary_loss(logits, classes).item() == pytest.approx((math.log(2.0) - math.log(0.75)) / 2, rel=1e-5)
    assert auxiliary_loss(logits, torch.full((2, 2), -1)).item() == 0.0
