"""Exploration in imagination: proposed chunks that come earlier or later, or a little beside where the policy aims."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rise_robot.core.cell import JOINTS_PER_ARM
from rise_robot.core.contract import Contract
from rise_robot.core.tool_shift import ToolShift

EASE_STEPS = 10
"""Control steps over which a shift builds up, so that a chunk leaves from where the robot is."""


def time_shifted(chunks: Tensor, state: Tensor, shift: Tensor) -> Tensor:
    """Chunks played `shift` control steps ahead (positive) or behind, easing in; the ends are held.

    A policy that imitates is sure of itself where it is wrong: its samples differ from each other by a tenth of what
    they miss a moving brick by (docs/decisions/0002). What they miss is mostly the moment, and a shift in time is a
    motion that the robot can make, whatever the chunk.

    Args:
        chunks: (B, K, A) commands. state: (B, A) joint positions before the first.
        shift: (B,) control steps.
    """
    path = torch.cat([state[:, None], chunks], dim=1)  # (B, K + 1, A), path[k] is where command k - 1 leads
    last = chunks.shape[1]
    steps = torch.arange(1, last + 1, dtype=torch.float32)
    ease = ((steps - 1) / EASE_STEPS).clamp(max=1.0)
    when = (steps + shift[:, None] * ease).clamp(0.0, last)  # (B, K)
    before = when.floor().long()
    part = (when - before)[..., None]
    rows = torch.arange(len(chunks))[:, None]
    return torch.lerp(path[rows, before], path[rows, (before + 1).clamp(max=last)], part)


def randomly_shifted(chunks: Tensor, state: Tensor, most: float, rng: np.random.Generator) -> Tensor:
    """`time_shifted` by up to `most` control steps either way; 0 leaves chunks and `rng` alone.

    Shifts are spread evenly: what succeeds among them then tells the middle of what can succeed, not what was tried
    most often.
    """
    if most <= 0:
        return chunks
    return time_shifted(chunks, state, torch.from_numpy(rng.uniform(-most, most, len(chunks)).astype(np.float32)))


def moved_aside(chunks: Tensor, aside: np.ndarray, tools: ToolShift) -> Tensor:
    """(B, K, A) chunks whose tools go (B, arms, 3) m beside where they led, easing in."""
    ease = np.clip(np.arange(chunks.shape[1]) / EASE_STEPS, 0.0, 1.0)
    moved = [tools(path, offset * ease[:, None, None]) for path, offset in zip(chunks.numpy(), aside, strict=True)]
    return torch.from_numpy(np.array(moved, np.float32).reshape(chunks.shape))


@dataclass(frozen=True)
class Explorer:
    """Varies proposed chunks; by default it leaves them alone.

    A policy that has seen few demonstrations is sure of itself where it is wrong, in the moment and in the place.
    Without `tools` a chunk is shifted in time as a whole; with them every arm of a chunk goes its own way: it is
    shifted in time or not, moved aside or not, each with probability one half.

    Attributes:
        time_shift: control steps by which chunks come early or late at most.
        tool_shift: standard deviation, m, of where a tool that is moved aside goes, along x and y.
        tools: kinematics of the arms; needed for `tool_shift`.
    """

    time_shift: float = 0.0
    tool_shift: float = 0.0
    tools: ToolShift | None = None

    @classmethod
    def of(cls, contract: Contract, time_shift: float, tool_shift: float) -> Explorer:
        """With the arms of `contract`, where tools move aside at all."""
        return cls(time_shift, tool_shift, ToolShift(contract) if tool_shift else None)

    def __call__(self, chunks: Tensor, state: Tensor, rng: np.random.Generator) -> Tensor:
        """(B, K, A) chunks from (B, A) joint positions, varied."""
        if self.tools is None:
            return randomly_shifted(chunks, state, self.time_shift, rng)
        chunks = self._early_or_late(chunks.clone(), state, rng, self.tools.arms)
        aside = np.zeros((len(chunks), self.tools.arms, 3))
        aside[..., :2] = rng.normal(0.0, self.tool_shift, (*aside.shape[:2], 2))
        aside *= rng.integers(2, size=aside.shape[:2])[..., None]
        return moved_aside(chunks, aside, self.tools)

    def _early_or_late(self, chunks: Tensor, state: Tensor, rng: np.random.Generator, arms: int) -> Tensor:
        each = len(chunks), arms
        shift = rng.uniform(-self.time_shift, self.time_shift, each) * rng.integers(2, size=each)
        shifts = torch.from_numpy(shift.astype(np.float32))
        for arm in range(arms):
            own = slice(arm * JOINTS_PER_ARM, (arm + 1) * JOINTS_PER_ARM)
            chunks[..., own] = time_shifted(chunks[..., own], state[:, own], shifts[:, arm])
        return chunks
