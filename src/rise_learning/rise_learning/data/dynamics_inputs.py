"""What the dynamics are told of a chunk: normalised joints and, where they were trained with them, control maps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.last_recorded import LastRecorded
from rise_learning.data.normalizer import Normalizer
from rise_learning.data.seen_joints import SeenJoints
from rise_learning.errors import ConfigError, DataError
from rise_robot.core.contract import Contract
from rise_robot.core.tracking import JointTracking
from rise_robot.sim.belt_speed import fitted_belt_speed
from rise_robot.sim.control_maps import ControlMapRenderer
from rise_worldmodel.config import DynamicsConfig
from rise_worldmodel.text import instruction_numbers
from rise_worldmodel.told import Told

NORMALIZER_KEY, TRACKING_KEY, STOPPED_KEY, BELT_KEY = "normalizer", "tracking", "stopped_from", "belt_speed"
SEEN_KEY, SIZE_KEY = "seen_joints", "object_size"
"""In the metadata of a dynamics checkpoint."""
BELT_PAIRS, BELT_FRAMES = 64, 6
"""Pairs of recorded pictures, so many frames apart, that tell how fast the belt runs."""


@dataclass
class DynamicsInputs:
    """From joints in rad and m to the conditions of one dynamics model; stored beside it.

    Recorded and proposed chunks go through the same lines, so that training and imagination are told the same.

    Attributes:
        tracking: how joints follow commands, in the maps and in what a policy is shown next.
        belt_speed: m/s by which a belt carries the objects that maps show; None where maps show the robot alone.
        object_size: m, of those objects, along the world's axes, where all are of one known size.
        seen_joints: those that imagined frames tell better than commands do.
    """

    contract: Contract
    config: DynamicsConfig
    normalizer: Normalizer
    tracking: JointTracking
    belt_speed: float | None = None
    object_size: tuple[float, float, float] | None = None
    seen_joints: SeenJoints = field(default_factory=SeenJoints.none)

    @classmethod
    def fit(cls, episodes: EpisodeSet, config: DynamicsConfig) -> DynamicsInputs:
        """Normalisation of recorded episodes; joints follow at once until `of_robot`."""
        normalizer = Normalizer.fit(np.concatenate([episodes.state, episodes.action]))
        return cls(episodes.contract, config, normalizer, JointTracking((1.0,) * episodes.contract.action_dim))

    def of_robot(self, episodes: EpisodeSet) -> DynamicsInputs:
        """The same for the robot of recorded episodes: how its joints follow, and which of them frames show better."""
        tracking = JointTracking.fit([(episode.state, episode.action) for episode in episodes.episodes])
        return replace(self, tracking=tracking, seen_joints=SeenJoints.fit(episodes, tracking))

    def showing_objects(
        self, episodes: EpisodeSet, seed: int, size: tuple[float, float, float] | None = None
    ) -> DynamicsInputs:
        """The same with maps that also show objects, for the speed of the belt in recorded episodes.

        Args:
            size: see `object_size`.

        Raises:
            ConfigError: these dynamics see no maps, or objects have no size.
            DataError: no episode is long enough.
        """
        if not self.config.control_maps:
            raise ConfigError("maps can show objects only where there are control maps")
        if size is not None and min(size) <= 0:
            raise ConfigError(f"objects are as large as (along, across, high) in m, each above 0; got {size}")
        g = np.flatnonzero(episodes.frames_left(np.arange(len(episodes))) >= BELT_FRAMES)
        if not len(g):
            raise DataError(f"no episode is longer than {BELT_FRAMES} frames, over which the belt is watched")
        g = np.random.default_rng(seed).choice(g, min(BELT_PAIRS, len(g)), replace=False)
        pair = np.stack([g, episodes.future_index(g, BELT_FRAMES)[:, -1]], 1)
        seconds = BELT_FRAMES * self.contract.actions_per_frame * self.contract.control_period_s
        joints, pictures = episodes.state[episodes.step_of[pair]], episodes.frames[pair]
        speed = fitted_belt_speed(self._renderer, joints, pictures, seconds)
        return replace(self, belt_speed=speed, object_size=size)

    def __call__(
        self,
        state: Tensor,
        chunks: Tensor,
        instructions: Sequence[str] | None = None,
        seen: LastRecorded | None = None,
    ) -> Told:
        """Conditions of (B, A) joint positions now and (B, K, A) commands, rad and m, with B instructions.

        Args:
            seen: where maps take objects from, if they show any.

        Raises:
            ConfigError: these dynamics read instructions, and none are given, or one that they do not know; or their
                maps show objects, and `seen` is absent.
        """
        config = self.config
        if config.condition == "instruction":
            if instructions is None:
                raise ConfigError("these dynamics (Genie Envisioner) read the instruction, and none was given")
            return Told(instruction_numbers(instructions, config.texts, config.text_vocabulary), None, None)
        maps = torch.from_numpy(self._maps(state.numpy(), chunks.numpy(), seen)) if config.control_maps else None
        now = self.normalizer.normalize(state) if config.use_state else None
        return Told(self.normalizer.normalize(chunks), now, maps)

    def joints(self, state: np.ndarray, commands: np.ndarray) -> np.ndarray:
        """(B, K, A) joint positions after each of (B, K, A) commands from (B, A) positions, rad and m.

        They lag behind their commands by what recordings show: a policy that is shown joints where they were commanded
        sees its arms .04 rad ahead of where it has learned to see them.
        """
        return self.tracking.follow(state, commands)

    def joints_at(self, state: np.ndarray, commands: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """(B, n, A) joint positions at the n imagined frames (B, F >= n, V, h, w, 3) that (B, T, A) commands lead to.

        A gripper that has closed on something is as wide as that, which frames show and commands do not.
        """
        joints = self.joints(state, commands)[:, self.config.actions_per_frame - 1 :: self.config.actions_per_frame]
        return self.seen_joints.correct(joints, frames[:, : joints.shape[1]])

    def _maps(self, state: np.ndarray, chunks: np.ndarray, seen: LastRecorded | None) -> np.ndarray:
        """(B, M + 1, V, h, w, 3) uint8 where the commands will take the robot, at `config.map_steps`."""
        per_frame, shown = self.config.actions_per_frame, np.array(self.config.map_steps)
        onward = self.joints(state, chunks)[:, per_frame - 1 :: per_frame]  # (B, F, A)
        if self.belt_speed is not None:
            if seen is None:
                raise ConfigError("the maps of these dynamics show objects: they need the frame that was last recorded")
            period = per_frame * self.contract.control_period_s
            size = None if self.object_size is None else np.array(self.object_size)
            maps = []
            for ahead, pictures, first, steps, path in zip(onward, *(part.numpy() for part in seen), strict=True):
                ago = steps // per_frame
                joints = np.concatenate([first[None], path[:ago], ahead])
                maps.append(self._renderer.with_objects(joints, ago + shown, pictures, period, self.belt_speed, size))
            return np.stack(maps)
        joints = np.concatenate([state[:, None], onward], axis=1)[:, shown]
        drawn = self._renderer.render(joints.reshape(-1, joints.shape[-1]))
        return drawn.reshape(*joints.shape[:2], *drawn.shape[1:])

    @cached_property
    def _renderer(self) -> ControlMapRenderer:
        return ControlMapRenderer(self.contract, (self.config.height, self.config.width))

    def texts(self) -> dict[str, str]:
        """For the metadata of a checkpoint."""
        normalizer = {"mean": self.normalizer.mean.tolist(), "std": self.normalizer.std.tolist()}
        texts = {
            NORMALIZER_KEY: json.dumps(normalizer),
            TRACKING_KEY: json.dumps(self.tracking.gain),
            STOPPED_KEY: json.dumps(self.tracking.stopped_from),
            SEEN_KEY: self.seen_joints.to_json(),
        }
        if self.belt_speed is not None:
            texts[BELT_KEY] = json.dumps(self.belt_speed)
        if self.object_size is not None:
            texts[SIZE_KEY] = json.dumps(self.object_size)
        return texts

    @classmethod
    def from_texts(cls, texts: dict[str, str], contract: Contract, config: DynamicsConfig) -> DynamicsInputs:
        """The inverse of `texts`; older ones of dynamics without maps lack the lag, and their joints follow at once."""
        raw = json.loads(texts[NORMALIZER_KEY])
        normalizer = Normalizer(len(raw["mean"]))
        normalizer.load_state_dict({name: torch.tensor(values) for name, values in raw.items()})
        gain = json.loads(texts[TRACKING_KEY]) if TRACKING_KEY in texts else (1.0,) * contract.action_dim
        tracking = JointTracking(tuple(gain), tuple(json.loads(texts.get(STOPPED_KEY, "[]"))))
        seen = SeenJoints.from_json(texts[SEEN_KEY]) if SEEN_KEY in texts else SeenJoints.none()
        speed, size = (json.loads(texts.get(key, "null")) for key in (BELT_KEY, SIZE_KEY))
        return cls(contract, config, normalizer, tracking, speed, size and tuple(size), seen)
