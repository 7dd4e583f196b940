"""A world of one joint in which what an imagined episode is worth can be told by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rise_learning.rl.imagination import Imagined, Starts, Travelled

STRIDE, CHUNK = 2, 10


class Line:
    """A robot of one joint, worth what it stands at, at most 1; pixels show it in hundredths."""

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        now = starts.state[:, 0].clamp(max=1.0)
        values = chunks[:, STRIDE - 1 :: STRIDE, 0].clamp(max=1.0)
        nothing = torch.empty(len(chunks), 0)
        return Imagined(nothing, (values - now[:, None]).numpy(), value_now=now.numpy())

    def advance(self, starts: Starts, commands: Tensor, frames: Tensor) -> Travelled:
        states = commands[:, STRIDE - 1 :: STRIDE]
        return Travelled((100 * states)[..., None, None, None].round().to(torch.uint8), states)


def holding(inputs: Any, noise: Tensor, steps: int, guidance: float) -> Tensor:
    return inputs.state[:, None].repeat(1, CHUNK, 1)
