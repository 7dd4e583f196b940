"""The compositional world model (Sec. III-A): dynamics imagine the frames of a chunk, the value model judges them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rise_worldmodel.advantage import advantage
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import ConfigError
from rise_worldmodel.flow_matching import seeded_noise
from rise_worldmodel.precision import has_bfloat16
from rise_worldmodel.trust import Doubt, TrustConfig, largest_jump, other_seeds, reconstruction_error, spread
from rise_worldmodel.value import ValueFunction


@dataclass(frozen=True)
class Imagination:
    """What B chunks would lead to.

    Attributes:
        frames: (B, F, V, H, W, 3) uint8.
        values: (B, F') V of every `value_stride`-th frame, ending with the last.
        value_now: (B,) V of the present frame.
        advantage: (B,) Eq. 2.
        context: (B, C, V, H, W, 3) uint8, what the imagination started from.
        doubt: what speaks against each; None where it was not asked for.
    """

    frames: Tensor
    values: Tensor
    value_now: Tensor
    advantage: Tensor
    context: Tensor
    doubt: Doubt | None = None

    @property
    def trust(self) -> Tensor | None:
        """(B,) in (0, 1], see `Doubt.trust`; None where it was not asked for."""
        return None if self.doubt is None else self.doubt.trust

    def next_context(self) -> Tensor:
        """(B, C, V, H, W, 3) uint8: the last C frames, from which a second chunk can be imagined."""
        count = self.context.shape[1]
        return torch.cat([self.context, self.frames], dim=1)[:, -count:]


class _Given(NamedTuple):
    """What one portion of a batch is imagined from."""

    context: Tensor
    chunks: Tensor
    state: Tensor | None
    maps: Tensor | None
    words: Tensor | None


class CompositionalWorldModel:
    """Frozen dynamics and value behind one call.

    Example:
        >>> model = CompositionalWorldModel(dynamics, value)
        >>> first = model.imagine(context, state, chunks, instructions, seeds=range(len(chunks)))
        >>> second = model.imagine(first.next_context(), chunks[:, -1], more_chunks, instructions, seeds=seeds)
    """

    def __init__(
        self,
        dynamics: MultiViewDynamics,
        value: ValueFunction,
        *,
        steps: int = 1,
        value_stride: int = 1,
        micro_batch: int = 8,
        bfloat16: bool | None = None,
        trust: TrustConfig | None = None,
    ) -> None:
        """Take over trained models.

        Args:
            dynamics, value: of the same views and frame size; set to evaluation here.
            steps: Euler steps of the dynamics.
            value_stride: V is evaluated on every n-th imagined frame, the last one included.
            micro_batch: chunks that are computed together.
            bfloat16: arithmetic of the networks; None for "where their device has instructions for it".
            trust: what is asked of every imagination to tell how far it may be trusted; None: nothing.
        """
        ours = (dynamics.config.views, dynamics.config.height, dynamics.config.width)
        theirs = (value.config.views, value.config.height, value.config.width)
        if ours != theirs:
            raise ConfigError(f"(views, height, width) of dynamics {ours} and value {theirs} differ; train both alike")
        self.dynamics = dynamics.eval().requires_grad_(False)
        self.value = value.eval().requires_grad_(False)
        self.steps, self.value_stride, self.micro_batch, self.trust = steps, value_stride, micro_batch, trust
        self._bfloat16 = bfloat16

    @property
    def bfloat16(self) -> bool:
        """Whether the networks compute in it, where they are now."""
        return has_bfloat16(self.dynamics.device) if self._bfloat16 is None else self._bfloat16

    @torch.inference_mode()
    def imagine(
        self,
        context: Tensor,
        state: Tensor | None,
        chunks: Tensor,
        instructions: Tensor | Sequence[str] | None = None,
        *,
        maps: Tensor | None = None,
        seeds: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        steps: int | None = None,
    ) -> Imagination:
        """Imagine and judge B chunks.

        Args:
            context: (B, C, V, H, W, 3) uint8, the last frame is the present.
            state: (B, A) normalised present joint state; ignored by dynamics that were trained without.
            chunks: (B, K, A) normalised actions.
            instructions: B strings, or their `encode_text` (B, L).
            maps: (B, M + 1, V, H, W, 3) uint8 control maps, for dynamics that were trained with them.
            seeds: one per sample: its frames then do not depend on the rest of the batch.
            generator: draws the seeds where none are given.
            steps: Euler steps of this call.
        """
        if seeds is None:
            seeds = torch.randint(0, 2**62, (len(chunks),), generator=generator).tolist()
        state = state if self.dynamics.config.use_state else None
        words, used = self.value.encode_text(instructions), steps or self.steps
        parts, doubts = [], []
        with torch.autocast(self.dynamics.device.type, torch.bfloat16, enabled=self.bfloat16):
            for part in self._portions(len(chunks)):
                given = _Given(
                    context[part], chunks[part], *(None if x is None else x[part] for x in (state, maps, words))
                )
                found = self._imagine(given, seeds[part], used)
                parts.append(found)
                if self.trust is not None:
                    again = [
                        self._imagine(given, other_seeds(seeds[part], repeat + 1), self.trust.steps or used)
                        for repeat in range(self.trust.repeats)
                    ]
                    doubts.append(self._doubt(context[part], found, again))
        frames, values, value_now = (torch.cat(column) for column in zip(*parts, strict=True))
        doubt = Doubt.cat(doubts) if doubts else None
        return Imagination(frames, values, value_now, advantage(values, value_now), context, doubt)

    def _imagine(self, given: _Given, seeds: Sequence[int], steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Frames, their values and V now of one portion, on the CPU."""
        noise = seeded_noise(self.dynamics.latent_shape, list(seeds))
        frames = self.dynamics.sample(
            given.context, given.chunks, given.state, steps=steps, maps=given.maps, noise=noise
        )
        values, now = self._judge(given.context[:, -1], frames, given.words)
        return frames.cpu(), values.cpu(), now.cpu()

    def _doubt(
        self, context: Tensor, found: tuple[Tensor, Tensor, Tensor], again: list[tuple[Tensor, Tensor, Tensor]]
    ) -> Doubt:
        frames, values, now = found
        return Doubt(
            largest_jump(values, now),
            reconstruction_error(self.dynamics, context[:, -1]),
            spread(values, [other[1] for other in again]),
            spread(frames, [other[0] for other in again]) / 255.0,
        )

    @torch.inference_mode()
    def values_of(self, frames: Tensor, instructions: Tensor | Sequence[str] | None = None) -> Tensor:
        """V of recorded frames: (B, F, V, H, W, 3) uint8 and B instructions -> (B, F)."""
        words = self.value.encode_text(instructions)
        rows = []
        with torch.autocast(self.dynamics.device.type, torch.bfloat16, enabled=self.bfloat16):
            for part in self._portions(len(frames)):
                rows.append(self._value(frames[part], None if words is None else words[part]).cpu())
        return torch.cat(rows)

    def _judge(self, now: Tensor, frames: Tensor, words: Tensor | None) -> tuple[Tensor, Tensor]:
        """Values (B, F') of the imagined frames and (B,) of the present, in one pass."""
        kept = frames.flip(1)[:, :: self.value_stride].flip(1)
        values = self._value(torch.cat([now[:, None].to(kept.device), kept], dim=1), words)
        return values[:, 1:], values[:, 0]

    def _value(self, frames: Tensor, words: Tensor | None) -> Tensor:
        batch, count = frames.shape[:2]
        size = self.value.frames_at_once
        each = itertools.repeat(None) if words is None else words.repeat_interleave(count, dim=0).split(size)
        values = [self.value(*given).value for given in zip(frames.flatten(0, 1).split(size), each, strict=False)]
        return torch.cat(values).view(batch, count)

    def _portions(self, count: int) -> Iterator[slice]:
        for start in range(0, count, self.micro_batch):
            yield slice(start, start + self.micro_batch)
