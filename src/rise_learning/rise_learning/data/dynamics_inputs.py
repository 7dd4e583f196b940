"""What the dynamics are told of a chunk: normalised joints and, where they were trained with them, control maps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.normalizer import Normalizer
from rise_learning.errors import ConfigError
from rise_robot.core.contract import Contract
from rise_robot.core.tracking import JointTracking
from rise_robot.sim.control_maps import ControlMapRenderer
from rise_worldmodel.config import DynamicsConfig
from rise_worldmodel.text import instruction_numbers
from rise_worldmodel.told import Told

NORMALIZER_KEY, TRACKING_KEY = "normalizer", "tracking"
"""In the metadata of a dynamics checkpoint."""


@dataclass
class DynamicsInputs:
    """From joints in rad and m to the conditions of one dynamics model; stored beside it.

    Recorded and proposed chunks go through the same lines, so that training and imagination are told the same.

    Attributes:
        tracking: how joints follow commands, for the maps; None for dynamics without maps.
    """

    contract: Contract
    config: DynamicsConfig
    normalizer: Normalizer
    tracking: JointTracking | None

    @classmethod
    def fit(cls, episodes: EpisodeSet, config: DynamicsConfig) -> DynamicsInputs:
        """Normalisation, and the lag of the joints where `config` asks for control maps, of recorded episodes."""
        normalizer = Normalizer.fit(np.concatenate([episodes.state, episodes.action]))
        pairs = [(episode.state, episode.action) for episode in episodes.episodes]
        return cls(episodes.contract, config, normalizer, JointTracking.fit(pairs) if config.control_maps else None)

    def __call__(self, state: Tensor, chunks: Tensor, instructions: Sequence[str] | None = None) -> Told:
        """Conditions of (B, A) joint positions now and (B, K, A) commands, rad and m, with B instructions.

        Raises:
            ConfigError: these dynamics read instructions, and none are given, or one that they do not know.
        """
        config = self.config
        if config.condition == "instruction":
            if instructions is None:
                raise ConfigError("these dynamics (Genie Envisioner) read the instruction, and none was given")
            return Told(instruction_numbers(instructions, config.texts, config.text_vocabulary), None, None)
        maps = None if self.tracking is None else torch.from_numpy(self._maps(state.numpy(), chunks.numpy()))
        now = self.normalizer.normalize(state) if config.use_state else None
        return Told(self.normalizer.normalize(chunks), now, maps)

    def _maps(self, state: np.ndarray, chunks: np.ndarray) -> np.ndarray:
        """(B, G + 1, V, h, w, 3) uint8 where the commands will take the robot, at `config.map_steps`."""
        assert self.tracking is not None
        joints = np.concatenate([state[:, None], self.tracking.follow(state, chunks)], axis=1)  # (B, K + 1, A)
        shown = joints[:, [frame * self.config.actions_per_frame for frame in self.config.map_steps]]
        maps = self._renderer.render(shown.reshape(-1, shown.shape[-1]))
        return maps.reshape(*shown.shape[:2], *maps.shape[1:])

    @cached_property
    def _renderer(self) -> ControlMapRenderer:
        return ControlMapRenderer(self.contract, (self.config.height, self.config.width))

    def texts(self) -> dict[str, str]:
        """For the metadata of a checkpoint."""
        normalizer = {"mean": self.normalizer.mean.tolist(), "std": self.normalizer.std.tolist()}
        texts = {NORMALIZER_KEY: json.dumps(normalizer)}
        return texts if self.tracking is None else {**texts, TRACKING_KEY: json.dumps(self.tracking.gain)}

    @classmethod
    def from_texts(cls, texts: dict[str, str], contract: Contract, config: DynamicsConfig) -> DynamicsInputs:
        """The inverse of `texts`."""
        raw = json.loads(texts[NORMALIZER_KEY])
        normalizer = Normalizer(len(raw["mean"]))
        normalizer.load_state_dict({name: torch.tensor(values) for name, values in raw.items()})
        gain = texts.get(TRACKING_KEY)
        return cls(contract, config, normalizer, None if gain is None else JointTracking(tuple(json.loads(gain))))
