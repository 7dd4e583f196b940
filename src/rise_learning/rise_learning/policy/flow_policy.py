"""The advantage-conditioned flow-matching policy that two CPU cores can train (presets `tiny` and `small`)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rise_learning.data.normalizer import Normalizer
from rise_learning.policy.action_basis import ActionBasis
from rise_learning.policy.config import PolicyConfig
from rise_learning.policy.encoder import ObservationEncoder
from rise_learning.policy.interface import Policy, PolicyInput
from rise_learning.policy.prompt import NO_BIN, PROMPT_BYTES, tokenize_prompts
from rise_worldmodel.precision import half_precision

MAX_VELOCITY_WEIGHT = 10.0
MIN_TIME = 0.02


class FlowHead(nn.Module):
    """Residual MLP from noisy to clean chunk coefficients, adaptively normalised by time and bin."""

    def __init__(self, config: PolicyConfig, context_features: int) -> None:
        super().__init__()
        width = config.width
        self.condition = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU())
        self.bin_embedding = nn.Embedding(config.bins + 1, width)
        self.context = nn.Linear(context_features, width)
        self.noisy = nn.Linear(config.basis_size, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)) for _ in range(config.blocks)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(config.blocks))
        self.modulation = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(config.blocks))
        self.output_norm, self.output = nn.LayerNorm(width), nn.Linear(width, config.basis_size)
        for layer in self.modulation:
            nn.init.zeros_(layer.bias)
        frequencies = torch.exp(torch.linspace(0, math.log(100.0), width // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, noisy: Tensor, time: Tensor, context: Tensor, bins: Tensor) -> Tensor:
        """(N, basis) noisy, (N,) time in (0, 1] with 1 = noise, (N, C) context, (N,) bins -> (N, basis) clean."""
        angles = time[:, None] * self.frequencies
        embedded = torch.cat([angles.sin(), angles.cos(), self.bin_embedding(bins)], dim=1)
        condition = self.condition(embedded)
        hidden = self.noisy(noisy) + self.context(context)
        for block, norm, modulation in zip(self.blocks, self.norms, self.modulation, strict=True):
            shift, scale, gate = modulation(condition).chunk(3, dim=1)
            hidden = hidden + (1 + gate) * block(norm(hidden) * (1 + scale) + shift)
        with torch.autocast("cpu", enabled=False):
            return self.output(self.output_norm(hidden.float()))


class FlowPolicy(Policy):
    """Encoder, prompt and flow head behind `loss` and `sample`; chunks go in and out in rad and m."""

    config: PolicyConfig

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        self.normalizer = Normalizer(config.action_dim)
        self.basis = ActionBasis(config.chunk_size, config.action_dim, config.basis_size)
        self.encoder = ObservationEncoder(config)
        self.text = nn.Embedding(256, config.prompt_features, padding_idx=0)
        self.text_position = nn.Parameter(torch.randn(PROMPT_BYTES, config.prompt_features) * 0.5)
        self.text_output = nn.Linear(config.prompt_features, config.prompt_features)
        context = self.encoder.features + config.action_dim + config.prompt_features
        self.head = FlowHead(config, context)

    def observe(self, inputs: PolicyInput) -> Tensor:
        """(B, features + A) what is seen; the same for every bin."""
        state = self.normalizer.normalize(inputs.state)
        if self.training and self.config.state_noise > 0:
            state = state + self.config.state_noise * torch.randn_like(state)
        return torch.cat([self.encoder(inputs.images, self.config.brightness), state], dim=1)

    def read_prompt(self, instructions: list[str], bins: Tensor) -> Tensor:
        """(B, prompt_features) of the prompts that state instruction and bin."""
        tokens = torch.from_numpy(tokenize_prompts(instructions, bins.numpy()))
        present = (tokens != 0).unsqueeze(-1)
        embedded = (self.text(tokens) * (1 + self.text_position)) * present
        return self.text_output(embedded.sum(1) / present.sum(1).clamp(min=1).sqrt())

    def loss(self, inputs: PolicyInput, chunks: Tensor) -> Tensor:
        """Flow-matching loss per sample; random numbers come from torch's global generator (the trainer seeds it).

        Args:
            inputs: B observations with the bins that their chunks earned; a share of them is left out here.
            chunks: (B, K, A) commands, rad and m.

        Returns:
            (B,) squared error of the normalised chunk, weighted as a velocity error.
        """
        draws, batch = self.config.draws, len(chunks)
        left_out = torch.rand(batch) < self.config.bin_dropout
        bins = torch.where(left_out, NO_BIN, inputs.bins)
        state = self.normalizer.normalize(inputs.state)
        clean = self.basis.encode(self.normalizer.normalize(chunks), state).repeat(draws, 1)
        noise = torch.randn(clean.shape)
        time = beta_times(draws * batch)
        noisy = (1 - time[:, None]) * clean + time[:, None] * noise
        with half_precision(inputs.images.device, self.config.bfloat16):
            context = torch.cat([self.observe(inputs), self.read_prompt(inputs.instructions, bins)], dim=1)
            predicted = self.head(noisy, time, context.repeat(draws, 1), bins.repeat(draws))
        error = ((predicted - clean).square() * self.basis.weight).mean(1)
        weight = (1 / time.square()).clamp(max=MAX_VELOCITY_WEIGHT)
        return (error * weight).view(draws, batch).mean(0)

    @torch.inference_mode()
    def sample(self, inputs: PolicyInput, noise: Tensor, *, steps: int | None = None, guidance: float = 1.0) -> Tensor:
        """Euler integration from noise to a chunk.

        Args:
            noise: (B, basis_size) standard normal; one row decides one sample, whatever the batch.
            guidance: 1 asks for the bin; above 1 moves further away from the unconditional prediction.

        Returns:
            (B, K, A) commands, rad and m.
        """
        seen, state = self.observe(inputs), self.normalizer.normalize(inputs.state)
        context = torch.cat([seen, self.read_prompt(inputs.instructions, inputs.bins)], dim=1)
        free_bins = torch.full_like(inputs.bins, NO_BIN)
        free_context = torch.cat([seen, self.read_prompt(inputs.instructions, free_bins)], dim=1)
        count = self.config.flow_steps if steps is None else steps
        current = noise
        for index in range(count):
            time = 1 - index / count
            times = torch.full((len(noise),), time)
            clean = self.head(current, times, context, inputs.bins)
            if guidance != 1.0:
                free = self.head(current, times, free_context, free_bins)
                clean = free + guidance * (clean - free)
            current = current + (clean - current) / time / count
        return self.normalizer.denormalize(self.basis.decode(current, state))


def beta_times(count: int) -> Tensor:
    """(count,) times from Beta(1.5, 1), which favours noise (t = 1), as pi0 does; at least MIN_TIME."""
    uniform = torch.rand(count)
    return uniform.pow(1 / 1.5).clamp(min=MIN_TIME)
