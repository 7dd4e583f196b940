"""What the future is conditioned on: actions, as Sec. III-A adds to GE-Base, an instruction, or nothing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rise_worldmodel.config import DynamicsConfig
from rise_worldmodel.errors import ConfigError
from rise_worldmodel.text import PADDING


class Conditions(NamedTuple):
    """Of B imaginations.

    Attributes:
        embedding: (B, T, d) of every frame group, added to that of its timestep.
        tokens: (B, L', token_dim) that cross-attention reads.
        mask: (B, L') bool, False for padding; None where all tokens count.
    """

    embedding: Tensor
    tokens: Tensor
    mask: Tensor | None = None


class ActionEncoder(nn.Module):
    """Actions twice: per frame group for the adaptive norm, per frame as tokens that cross-attention can look up."""

    def __init__(self, config: DynamicsConfig, token_dim: int) -> None:
        super().__init__()
        self.config = config
        state = config.action_dim if config.use_state else 0
        per_frame = config.actions_per_frame * config.action_dim
        per_group = config.codec.frames_per_group * per_frame
        self.group = self.context = None
        if config.architecture != "cosmos":
            self.group = nn.Sequential(
                nn.Linear(per_group + 2 * config.action_dim + state, 2 * config.dim),
                nn.SiLU(),
                nn.Linear(2 * config.dim, config.dim),
            )
            self.context = nn.Parameter(torch.zeros(config.context_groups if config.context_tokens else 0, config.dim))
        self.frame = nn.Linear(per_frame + state, token_dim)
        self.frame_position = nn.Parameter(torch.randn(config.future_frames, token_dim) * 0.5)

    def forward(self, actions: Tensor, state: Tensor | None) -> Conditions:
        """Normalised actions (B, K, A) and state (B, A) -> conditions, with one token per future frame.

        A group sees its own actions, the last one before it (the state, for the first), the chunk's mean so far and
        the state; context groups have a learned embedding. Where the codec's first group covers one frame (a causal
        video VAE), it sees that frame's actions over and over. Cosmos reads tokens alone: its embeddings are zero.
        """
        frames = actions.view(len(actions), self.config.future_frames, -1)
        if state is not None:
            frames = torch.cat([frames, state[:, None].expand(-1, frames.shape[1], -1)], dim=-1)
        tokens = self.frame(frames) + self.frame_position
        if self.group is None or self.context is None:
            return Conditions(no_embedding(self.config, tokens), tokens)
        batch, groups = len(actions), self.config.future_groups
        lead = groups * self.config.codec.frames_per_group - self.config.future_frames
        first = actions[:, : self.config.actions_per_frame].repeat(1, lead, 1)
        grouped = torch.cat([first, actions], dim=1).view(batch, groups, -1, self.config.action_dim)
        before = torch.cat([actions[:, :1] if state is None else state[:, None], grouped[:, :-1, -1]], dim=1)
        so_far = grouped.mean(2).cumsum(1) / torch.arange(1, groups + 1, device=actions.device)[:, None]
        parts = [grouped.flatten(2), before, so_far]
        if state is not None:
            parts.append(state[:, None].expand(-1, groups, -1))
        embedding = self.group(torch.cat(parts, dim=-1))
        context = self.context.to(embedding.dtype).expand(batch, -1, -1)
        return Conditions(torch.cat([context, embedding], dim=1), tokens)


class InstructionEncoder(nn.Module):
    """The instruction as tokens, as GE-Base reads it; what the arms will do is left to the network.

    Hashed words with trained embeddings or, with `config.texts`, the frozen embeddings of a text encoder.
    """

    table: Tensor
    lengths: Tensor

    def __init__(self, config: DynamicsConfig, token_dim: int) -> None:
        super().__init__()
        self.config = config
        self.words = None if config.texts else nn.Embedding(config.text_vocabulary, token_dim, padding_idx=PADDING)
        if config.texts:
            self.register_buffer("table", torch.zeros(len(config.texts), config.text_tokens, token_dim))
            self.register_buffer("lengths", torch.ones(len(config.texts), dtype=torch.int64))

    def forward(self, words: Tensor, state: Tensor | None = None) -> Conditions:
        """(B, L) int64 of `text.instruction_numbers` -> conditions."""
        if words.dtype != torch.int64 or words.dim() != 2:
            raise ConfigError(f"these dynamics read instructions (B, L) int64, got {tuple(words.shape)} {words.dtype}")
        if self.words is None:
            tokens = self.table[words[:, 0]]
            mask = torch.arange(tokens.shape[1], device=words.device) < self.lengths[words[:, 0], None]
        else:
            tokens, mask = self.words(words), words != PADDING
            mask[:, 0] = True  # an empty instruction still is one token, of zeros
        return Conditions(no_embedding(self.config, tokens), tokens, mask)


class NoCondition(nn.Module):
    """One learned token, whatever the actions are: the ablation without action conditioning."""

    def __init__(self, config: DynamicsConfig, token_dim: int) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Parameter(torch.randn(1, token_dim) * 0.5)

    def forward(self, actions: Tensor, state: Tensor | None = None) -> Conditions:
        """The same conditions B times."""
        tokens = self.token.expand(len(actions), -1, -1)
        return Conditions(no_embedding(self.config, tokens), tokens)


def no_embedding(config: DynamicsConfig, like: Tensor) -> Tensor:
    """(B, T, d) zeros: frame groups differ by their timestep alone."""
    groups = config.future_groups + (config.context_groups if config.context_tokens else 0)
    return like.new_zeros(len(like), groups, config.dim)


ENCODERS: dict[str, type[ActionEncoder] | type[InstructionEncoder] | type[NoCondition]] = {
    "actions": ActionEncoder,
    "instruction": InstructionEncoder,
    "nothing": NoCondition,
}
"""By `DynamicsConfig.condition`."""
