"""Recorded frames as dynamics show them: coded, and imagined from recorded commands, choice after choice.

A value model that was shown recorded frames alone takes what coding and imagination blur for what is not there
(docs/decisions/0018). Whatever is known of a recorded frame holds for the imagined one that stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import ConfigError
from rise_learning.training.chain import LINK_FRAMES, Chain
from rise_worldmodel.checkpoint import write_atomically
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.flow_matching import seeded_noise
from rise_worldmodel.told import Told

PORTION = 32
"""Chunks that are imagined at once."""
KEPT = 8
"""Frames of every chunk that are kept as imagined, and as many as coded: neighbours say the same."""
IDENTITY = "identity"


@dataclass(frozen=True)
class Imagining:
    """What is shown.

    Attributes:
        chunks: how many are imagined.
        links: of 5 frames that the longest chains go on by before their chunk; 0: all start at recorded frames.
        steps: Euler steps.
    """

    chunks: int
    links: int = 3
    steps: int = 1

    def __post_init__(self) -> None:
        if self.chunks < 1 or self.links < 0:
            raise ConfigError(f"at least one chunk, and no negative links; got {self.chunks} and {self.links}")


@dataclass(frozen=True)
class ShownFrames:
    """N frames.

    Attributes:
        of: (N,) global numbers of the recorded frames that they stand for.
        frames: (N, V, h, w, 3) uint8.
    """

    of: np.ndarray
    frames: np.ndarray

    @classmethod
    def imagine(
        cls,
        dynamics: MultiViewDynamics,
        inputs: DynamicsInputs,
        episodes: EpisodeSet,
        plan: Imagining,
        seed: int,
    ) -> ShownFrames:
        """Follow recorded commands from recorded states. The same seed gives the same frames.

        Chunks may reach beyond the end of an episode, where the robot holds and what was achieved stays so.
        """
        rng, found, imagined = np.random.default_rng(seed), [], 0
        left = episodes.frames_left(np.arange(len(episodes)))
        longest = min(plan.links, (int(left.max()) - 1) // LINK_FRAMES)
        with tqdm(total=plan.chunks, desc="imagining", unit="chunk", mininterval=2.0) as bar:
            while imagined < plan.chunks:
                links = len(found) // 2 % (longest + 1)
                starts = np.flatnonzero(left > links * LINK_FRAMES)
                g = rng.choice(starts, min(PORTION, plan.chunks - imagined))
                found += _shown(dynamics, inputs, episodes, g, links, plan, rng)
                imagined += len(g)
                bar.update(len(g))
        numbers, frames = zip(*found, strict=True)
        return cls(np.concatenate(numbers), np.concatenate(frames))

    def save(self, path: Path, identity: str) -> None:
        """Write whole or not at all; `identity` says what they were made of."""
        tensors = {"of": torch.from_numpy(self.of), "frames": torch.from_numpy(self.frames)}
        write_atomically(path, save(tensors, metadata={IDENTITY: identity}))

    @classmethod
    def load(cls, path: Path, identity: str) -> ShownFrames | None:
        """Those of `path` if they were made of `identity`; None where there are none of it."""
        try:
            with safe_open(path, "pt") as stored:
                if stored.metadata()[IDENTITY] != identity:
                    return None
                return cls(stored.get_tensor("of").numpy(), stored.get_tensor("frames").numpy())
        except (FileNotFoundError, SafetensorError):
            return None

    def replace(
        self, g: np.ndarray, frames: np.ndarray, share: float, among: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Frames g (B,) and their pictures (B, V, h, w, 3), of which a share gives way to shown ones.

        Args:
            among: (M,) rows of these frames that may be taken.
        """
        if not len(among):
            return g, frames
        given_way = np.flatnonzero(rng.random(len(g)) < share)
        rows = rng.choice(among, len(given_way))
        g, frames = g.copy(), frames.copy()
        g[given_way], frames[given_way] = self.of[rows], self.frames[rows]
        return g, frames


@torch.inference_mode()
def _shown(
    dynamics: MultiViewDynamics,
    inputs: DynamicsInputs,
    episodes: EpisodeSet,
    g: np.ndarray,
    links: int,
    plan: Imagining,
    rng: np.random.Generator,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Some frames of the chunks that chains from frames g end with, imagined and coded: their numbers and pictures."""

    def imagined(chain: Chain, told: Told) -> Tensor:
        noise = seeded_noise(dynamics.latent_shape, rng.integers(2**62, size=len(chain.g)).tolist())
        context = chain.here.context
        return dynamics.sample(context, told.actions, told.state, maps=told.maps, noise=noise, steps=plan.steps).cpu()

    chain = Chain.begin(inputs, episodes, g)
    for _ in range(links):
        chain = chain.onward(imagined(chain, chain.told()))
    g, told = chain.g, chain.told()
    seen = imagined(chain, told)
    recorded = torch.from_numpy(episodes.context(g, episodes.contract.context_frames))
    latents = dynamics.encode_future(torch.from_numpy(episodes.following(g)))
    coded = dynamics.decode_future(recorded, latents, told.maps)
    numbers = episodes.future_index(g, episodes.contract.frames_per_chunk)
    kept = rng.permuted(np.tile(np.arange(numbers.shape[1]), (len(g), 1)), axis=1)[:, :KEPT]
    rows = np.arange(len(g))[:, None]
    pictures = (clip.cpu().numpy()[rows, kept] for clip in (seen, coded))
    return [(numbers[rows, kept].ravel(), each.reshape(-1, *each.shape[2:])) for each in pictures]
