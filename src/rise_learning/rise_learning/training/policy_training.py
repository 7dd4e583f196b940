"""One training of the policy on offline chunks: imitation, or warm-up with advantage labels (Sec. III-B)."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass

import numpy as np
import torch

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.normalizer import MIN_STD, Normalizer
from rise_learning.errors import ConfigError
from rise_learning.policy.checkpoint import build_policy
from rise_learning.policy.config import BasePolicyConfig, Pi05PolicyConfig, PolicyConfig
from rise_learning.policy.flow_policy import FlowPolicy
from rise_learning.policy.interface import Policy, PolicyInput
from rise_learning.policy.pi05_policy import Pi05Policy, open_policy
from rise_learning.training.published import published_directory
from rise_robot.core.contract import Contract

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OfflineSamples:
    """Frames that start a chunk, each with its label.

    Attributes:
        frames: (N,) global frame numbers of `episodes`.
        bins: (N,) int64 labels, 1..bins.
    """

    episodes: EpisodeSet
    frames: np.ndarray
    bins: np.ndarray

    @classmethod
    def all_frames(cls, episodes: EpisodeSet, bins: np.ndarray) -> OfflineSamples:
        """Every frame of `episodes`, with its label (N,)."""
        return cls(episodes, np.arange(len(episodes)), bins)

    def batch(self, rng: np.random.Generator, size: int, history: tuple[int, ...]) -> tuple[PolicyInput, torch.Tensor]:
        """Random observations with the labels of their chunks, and the chunks (size, K, A)."""
        chosen = rng.integers(len(self.frames), size=size)
        g = self.frames[chosen]
        inputs = PolicyInput(
            torch.from_numpy(self.episodes.history(g, history)),
            torch.from_numpy(self.episodes.state[self.episodes.step_of[g]]),
            self.episodes.instructions_of(g),
            torch.from_numpy(self.bins[chosen]),
        )
        return inputs, torch.from_numpy(self.episodes.chunk(g, clean=True))


def view_groups(camera_names: tuple[str, ...]) -> tuple[int, ...]:
    """Cameras that differ only behind the first underscore (wrist_left, wrist_right) share an encoder."""
    prefixes = [name.split("_")[0] for name in camera_names]
    order = list(dict.fromkeys(prefixes))
    return tuple(order.index(prefix) for prefix in prefixes)


def fit_config(config: BasePolicyConfig, contract: Contract, image_size: tuple[int, int]) -> BasePolicyConfig:
    """`config` with the sizes that robot and data decide."""
    config = dataclasses.replace(
        config, action_dim=contract.action_dim, chunk_size=contract.chunk_size, image_size=image_size
    )
    if isinstance(config, PolicyConfig):
        numbers = contract.chunk_size * contract.action_dim
        groups = view_groups(contract.camera_names)
        config = dataclasses.replace(config, basis_size=min(config.basis_size, numbers), view_groups=groups)
    elif isinstance(config, Pi05PolicyConfig) and contract.action_dim > config.architecture.action_dim:
        raise ConfigError(f"{contract.action_dim} joints, but pi0.5 knows {config.architecture.action_dim} per action")
    return config


def new_policy(config: BasePolicyConfig, samples: OfflineSamples, seed: int, fit_on: int = 20000) -> Policy:
    """A policy whose normaliser (and action basis) are fitted to the samples, with published weights where it has any.

    Args:
        fit_on: chunks used to fit, drawn at random.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    g = rng.permutation(samples.frames)[:fit_on]
    chunks = samples.episodes.chunk(g, clean=True)
    states = samples.episodes.state[samples.episodes.step_of[g]]
    vectors = np.concatenate([chunks.reshape(-1, chunks.shape[-1]), states])
    if isinstance(config, Pi05PolicyConfig):
        policy: Policy = published_policy(config)
        policy.normalizer.load_state_dict(Normalizer.fit_range(vectors).state_dict())
        return policy
    policy = build_policy(config)
    assert isinstance(policy, FlowPolicy)
    policy.normalizer.load_state_dict(Normalizer.fit(vectors).state_dict())
    assert float(policy.normalizer.std.min()) >= MIN_STD * 0.999
    mean, std = policy.normalizer.mean.numpy(), policy.normalizer.std.numpy()
    policy.basis.fit((chunks - mean) / std, (states - mean) / std)
    return policy


def published_policy(config: Pi05PolicyConfig) -> Pi05Policy:
    """pi0.5 with the weights that its configuration names.

    Raises:
        ConfigError: it names none, or a directory that is not there.
        CheckpointError: they do not fit.
    """
    directory = published_directory(config.weights, "--training.policy.weights", "pi0.5 (openpi or lerobot)")
    policy = open_policy(config, directory)
    if directory is not None:
        logger.info("%s: %s", directory, policy.load_published(directory))
    return policy
