"""One training of the policy on offline chunks: imitation, or warm-up with advantage labels (Sec. III-B)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.normalizer import MIN_STD, Normalizer
from rise_learning.policy.config import PolicyConfig
from rise_learning.policy.flow_policy import FlowPolicy, PolicyInput


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
        texts = self.episodes.instructions
        inputs = PolicyInput(
            torch.from_numpy(self.episodes.history(g, history)),
            torch.from_numpy(self.episodes.state[self.episodes.step_of[g]]),
            [texts[number] for number in self.episodes.episode_of[g]],
            torch.from_numpy(self.bins[chosen]),
        )
        return inputs, torch.from_numpy(self.episodes.chunk(g, clean=True))


def view_groups(camera_names: tuple[str, ...]) -> tuple[int, ...]:
    """Cameras that differ only behind the first underscore (wrist_left, wrist_right) share an encoder."""
    prefixes = [name.split("_")[0] for name in camera_names]
    order = list(dict.fromkeys(prefixes))
    return tuple(order.index(prefix) for prefix in prefixes)


def new_policy(config: PolicyConfig, samples: OfflineSamples, seed: int, fit_on: int = 20000) -> FlowPolicy:
    """A fresh policy whose normaliser and action basis are fitted to the samples.

    Args:
        fit_on: chunks used to fit the basis, drawn at random.
    """
    torch.manual_seed(seed)
    policy = FlowPolicy(config)
    rng = np.random.default_rng(seed)
    g = rng.permutation(samples.frames)[:fit_on]
    chunks = samples.episodes.chunk(g, clean=True)
    states = samples.episodes.state[samples.episodes.step_of[g]]
    normalizer = Normalizer.fit(np.concatenate([chunks.reshape(-1, chunks.shape[-1]), states]))
    policy.normalizer.load_state_dict(normalizer.state_dict())
    assert float(policy.normalizer.std.min()) >= MIN_STD * 0.999
    mean, std = policy.normalizer.mean.numpy(), policy.normalizer.std.numpy()
    policy.basis.fit((chunks - mean) / std, (states - mean) / std)
    return policy
