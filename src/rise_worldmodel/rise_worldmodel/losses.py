"""Losses of the value model as pure functions: progress (Eq. 5), temporal difference (Eq. 6), auxiliary classes."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor


def progress_target(step: Tensor, length: Tensor) -> Tensor:
    """The target t / T of Eq. 5 for time steps t (B,) of episodes of T (B,) steps."""
    return step.float() / length.float()


def progress_loss(value: Tensor, target: Tensor, expert: Tensor) -> Tensor:
    """Eq. 5: mean of (V - t/T)^2 over the samples of `expert` (B,) bool (successful demonstrations); 0 without any."""
    error = (value - target) ** 2 * expert
    return error.sum() / expert.sum().clamp_min(1)


def td_target(
    next_value: Tensor,
    terminal: Tensor,
    success: Tensor,
    *,
    gamma: float = 0.995,
    success_reward: float = 1.0,
    failure_reward: float = -1.0,
    clamp: tuple[float, float] | None = None,
) -> Tensor:
    """Y of Eq. 6: the reward at the end of an episode, gamma V(next) before; never differentiated.

    Args:
        next_value: (B,) V(o_{t+1}); of the EMA model in the preset `released`. Ignored where `terminal`.
        terminal: (B,) bool, whether t is the last step of its episode (`released`: one of the last ten).
        success: (B,) bool, outcome of the episode.
        success_reward, failure_reward: +1 / -1 in the paper, +1 / -0.6 in `released`.
        clamp: bounds of the target, (-1, 1) in `released`.
    """
    reward = torch.where(success, success_reward, failure_reward)
    target = torch.where(terminal, reward, gamma * next_value.detach())
    return target if clamp is None else target.clamp(*clamp)


def td_loss(value: Tensor, target: Tensor) -> Tensor:
    """Eq. 6: mean of (V(o_t) - y_t)^2."""
    return functional.mse_loss(value, target)


def auxiliary_loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Mean cross entropy of the rubric state of every object.

    Args:
        logits: (B, objects * C), classes of the objects side by side.
        classes: (B, objects) int64; -1 where unknown (a real robot, an absent object): those do not count.
    """
    per_object = logits.view(*classes.shape, -1)
    known = (classes >= 0).sum().clamp_min(1)
    total = functional.cross_entropy(per_object.flatten(0, 1), classes.flatten(), ignore_index=-1, reduction="sum")
    return total / known
