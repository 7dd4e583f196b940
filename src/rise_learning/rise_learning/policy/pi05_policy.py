"""pi0.5 behind the interface of every policy, with the advantage bin in its prompt and in its expert (Sec. III-B)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.normalizer import Normalizer
from rise_learning.policy.config import Pi05PolicyConfig
from rise_learning.policy.interface import Policy, PolicyInput
from rise_learning.policy.prompt import NO_BIN, build_state_prompt, discretize_state
from rise_worldmodel.pi05.backbone import Prefix, letterbox
from rise_worldmodel.pi05.layout import FRESH, to_ours
from rise_worldmodel.pi05.model import Pi05Model
from rise_worldmodel.pi05.tokenizer import Tokenizer, load_tokenizer, tokenize
from rise_worldmodel.precision import half_precision
from rise_worldmodel.pretrained import KeyReport, load_pretrained

MIN_TIME = 0.001


class Pi05Policy(Policy):
    """Flow matching of normalised absolute chunks, padded with zeros to the expert's action dimension."""

    config: Pi05PolicyConfig

    def __init__(self, config: Pi05PolicyConfig, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.normalizer = Normalizer(config.action_dim)
        self.model = Pi05Model(config.architecture, config.bins)
        self.requires_grad_(True)

    def requires_grad_(self, requires_grad: bool = True) -> Pi05Policy:
        """As for every module, but what no chunk depends on is never trained: it would never have a gradient."""
        super().requires_grad_(requires_grad)
        for parameter in self.model.unread_parameters():
            parameter.requires_grad_(False)
        return self

    @property
    def device(self) -> torch.device:
        return self.normalizer.mean.device

    def load_published(self, directory: Path) -> KeyReport:
        """Weights of openpi or lerobot. Raises CheckpointError that names every key that does not fit."""
        return load_pretrained(self.model, directory, to_ours, fresh=FRESH)

    def save_assets(self, directory: Path) -> None:
        self.tokenizer.save(directory)

    def read(self, inputs: PolicyInput, bins: Tensor) -> Prefix:
        """Prefix of images and of the prompts that state instruction, joint positions and bin."""
        images = inputs.images.to(self.device).flatten(1, 2)  # (B, history * V, h, w, 3)
        pixels = letterbox(images.flatten(0, 1), self.config.architecture.resolution).unflatten(0, images.shape[:2])
        if self.training and self.config.brightness > 0:
            gain = 1 + self.config.brightness * (2 * torch.rand(len(pixels), 1, 1, 1, 1) - 1)
            pixels = (pixels + 1) * gain.to(self.device) - 1
        state = self.normalizer.normalize(inputs.state.to(self.device))
        if self.training and self.config.state_noise > 0:
            state = state + self.config.state_noise * torch.randn(state.shape).to(self.device)
        tokens, present = self._prompts(inputs.instructions, bins.cpu().numpy(), state.float().cpu().numpy())
        return self.model.backbone(pixels, tokens.to(self.device), present.to(self.device))

    def _prompts(self, instructions: Sequence[str], bins: np.ndarray, state: np.ndarray) -> tuple[Tensor, Tensor]:
        rows = zip(instructions, bins, discretize_state(state), strict=True)
        texts = [build_state_prompt(text, int(label), numbers) for text, label, numbers in rows]
        return tokenize(self.tokenizer, texts, self.config.architecture)

    def loss(self, inputs: PolicyInput, chunks: Tensor) -> Tensor:
        """Squared error of the velocity, mean over the robot's own action dimensions; noise draws share one prefix."""
        draws, batch, device = self.config.draws, len(chunks), self.device
        bins = torch.where(torch.rand(batch) < self.config.bin_dropout, NO_BIN, inputs.bins.cpu())
        clean = self._padded(self.normalizer.normalize(chunks.to(device))).repeat(draws, 1, 1)
        noise = torch.randn(clean.shape).to(device)
        time = flow_times(draws * batch).to(device)
        noisy = torch.lerp(clean, noise, time[:, None, None])
        with half_precision(device, self.config.bfloat16):
            prefix = self.read(inputs, bins).repeat(draws)
            predicted = self.model.velocity(prefix, noisy, time, bins.to(device).repeat(draws))
        error = (predicted - (noise - clean))[..., : self.config.action_dim].square()
        return error.mean((1, 2)).view(draws, batch).mean(0)

    @torch.inference_mode()
    def sample(self, inputs: PolicyInput, noise: Tensor, *, steps: int | None = None, guidance: float = 1.0) -> Tensor:
        """Euler integration from noise (B, K * expert's action_dim) to chunks (B, K, A) on the CPU, rad and m."""
        device = self.device
        bins = inputs.bins.to(device)
        current = noise.to(device).unflatten(1, (self.config.chunk_size, -1))
        count = self.config.flow_steps if steps is None else steps
        with half_precision(device, self.config.bfloat16 and device.type == "cuda"):
            asked = self.read(inputs, bins)
            free_bins = torch.full_like(bins, NO_BIN)
            free = self.read(inputs, free_bins) if guidance != 1.0 else asked
            for index in range(count):
                time = torch.full((len(current),), 1 - index / count, device=device)
                velocity = self.model.velocity(asked, current, time, bins)
                if guidance != 1.0:
                    other = self.model.velocity(free, current, time, free_bins)
                    velocity = other + guidance * (velocity - other)
                current = current - velocity / count
        return self.normalizer.denormalize(current[..., : self.config.action_dim]).cpu()

    def _padded(self, chunks: Tensor) -> Tensor:
        missing = self.config.architecture.action_dim - chunks.shape[-1]
        return torch.nn.functional.pad(chunks, (0, missing))


def open_policy(config: Pi05PolicyConfig, directory: Path | None) -> Pi05Policy:
    """A policy of random weights with the tokenizer of `directory`."""
    return Pi05Policy(config, load_tokenizer(directory, config.architecture))


def flow_times(count: int) -> Tensor:
    """(count,) times in [0.001, 1] from Beta(1.5, 1), which favours noise (t = 1), as pi0.5 has them."""
    return MIN_TIME + (1 - MIN_TIME) * torch.rand(count).pow(1 / 1.5)
