"""The advantage of an action chunk (Eq. 2 of RISE)."""

from __future__ import annotations

from torch import Tensor


def advantage(future_values: Tensor, value_now: Tensor) -> Tensor:
    """A(o_t, a_t, l) = mean_k V(o_{t+k}, l) - V(o_t, l).

    Args:
        future_values: (B, F) values of the predicted (or, offline, the recorded) frames of the chunk.
        value_now: (B,) value of the present frame.

    Returns:
        (B,) advantages, in units of value.
    """
    return future_values.mean(dim=-1) - value_now
