"""The light-weight action encoder that GE-Base lacks (Sec. III-A): a chunk of actions to conditions of the dynamics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rise_worldmodel.config import DynamicsConfig


class ActionEncoder(nn.Module):
    """Actions twice: per frame group for the adaptive norm, per frame as tokens that cross-attention can look up."""

    def __init__(self, config: DynamicsConfig, token_dim: int) -> None:
        super().__init__()
        self.config = config
        state = config.action_dim if config.use_state else 0
        per_frame = config.actions_per_frame * config.action_dim
        per_group = config.codec.frames_per_group * per_frame
        self.group = nn.Sequential(
            nn.Linear(per_group + 2 * config.action_dim + state, 2 * config.dim),
            nn.SiLU(),
            nn.Linear(2 * config.dim, config.dim),
        )
        self.context = nn.Parameter(torch.zeros(config.context_groups if config.context_tokens else 0, config.dim))
        self.frame = nn.Linear(per_frame + state, token_dim)
        self.frame_position = nn.Parameter(torch.randn(config.future_frames, token_dim) * 0.5)

    def forward(self, actions: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Normalised actions (B, K, A) and state (B, A) -> group embeddings (B, T, d), tokens (B, F, token_dim).

        A group sees its own actions, the last one before it (the state, for the first), the chunk's mean so far and
        the state; context groups have a learned embedding. Where the codec's first group covers one frame (a causal
        video VAE), it sees that frame's actions over and over.
        """
        batch, groups = len(actions), self.config.future_groups
        lead = groups * self.config.codec.frames_per_group - self.config.future_frames
        first = actions[:, : self.config.actions_per_frame].repeat(1, lead, 1)
        grouped = torch.cat([first, actions], dim=1).view(batch, groups, -1, self.config.action_dim)
        before = torch.cat([actions[:, :1] if state is None else state[:, None], grouped[:, :-1, -1]], dim=1)
        so_far = grouped.mean(2).cumsum(1) / torch.arange(1, groups + 1, device=actions.device)[:, None]
        parts = [grouped.flatten(2), before, so_far]
        frames = actions.view(batch, self.config.future_frames, -1)
        if state is not None:
            parts.append(state[:, None].expand(-1, groups, -1))
            frames = torch.cat([frames, state[:, None].expand(-1, frames.shape[1], -1)], dim=-1)
        embedding = self.group(torch.cat(parts, dim=-1))
        context = self.context.to(embedding.dtype).expand(batch, -1, -1)
        return torch.cat([context, embedding], dim=1), self.frame(frames) + self.frame_position
