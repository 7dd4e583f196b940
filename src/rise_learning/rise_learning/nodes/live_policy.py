"""A checkpoint that answers live observations: the same steps as in evaluation and training, no ROS."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from rise_learning.errors import PolicyError
from rise_learning.evaluation.agent import DeploymentConfig, sample_once
from rise_learning.policy.checkpoint import load_policy
from rise_learning.policy.flow_policy import PolicyInput
from rise_learning.training.world_model_io import load_value
from rise_robot.core.contract import Contract
from rise_robot.core.images import resize_frame
from rise_robot.core.observation_buffer import Observation


def policy_input(
    seen: Observation, contract: Contract, image_size: tuple[int, int], instruction: str, advantage_bin: int
) -> PolicyInput:
    """What the policy is conditioned on, a batch of one; the frames equal those that training makes of a bag."""
    views = [[resize_frame(frame, image_size) for frame in seen.frames[name]] for name in contract.camera_names]
    images = np.stack([np.stack(frames) for frames in views], axis=1)  # (history, V, h, w, 3)
    return PolicyInput(
        torch.from_numpy(images)[None],
        torch.from_numpy(seen.state)[None],
        [instruction],
        torch.tensor([advantage_bin]),
    )


class LivePolicy:
    """Args:
        directory: what save_policy wrote.
        contract: of the robot; must be the checkpoint's own.
        advantage_bin, flow_steps, guidance, noise_scale: see DeploymentConfig.
        seed: of the sampling noise.
        value_directory: of a value model that judges what is seen; None for none.

    Attributes:
        version: of the policy.
        history: frames that it looks at, relative to now, at frame rate.
        advantage_bin: that it is asked for.
    """

    def __init__(
        self,
        directory: Path,
        contract: Contract,
        *,
        advantage_bin: int | None = None,
        flow_steps: int | None = None,
        guidance: float,
        noise_scale: float = 1.0,
        seed: int,
        value_directory: Path | None = None,
    ) -> None:
        trained = load_policy(directory, contract)
        self._policy, self._contract, self.version = trained.policy, contract, trained.version
        self.advantage_bin = trained.bin_asked(advantage_bin)
        self._config = DeploymentConfig(flow_steps=flow_steps, guidance=guidance, noise_scale=noise_scale)
        self._rng = np.random.default_rng(seed)
        self.history = trained.policy.config.history
        self._value = None if value_directory is None else load_value(value_directory, contract).eval()

    def infer(self, seen: Observation, instruction: str) -> np.ndarray:
        """(K, A) absolute commands, rad and m, that follow the observation.

        Raises:
            PolicyError: the policy answered with numbers that are not finite.
        """
        inputs = policy_input(seen, self._contract, self._policy.config.image_size, instruction, self.advantage_bin)
        actions = np.asarray(sample_once(self._policy, inputs, self._rng, self._config)[0], dtype=float)
        if not np.isfinite(actions).all():
            raise PolicyError(f"{self.version}: {int((~np.isfinite(actions)).sum())} of {actions.size} are not finite")
        return actions

    @torch.inference_mode()
    def value(self, seen: Observation, instruction: str) -> float:
        """V(o, l) of the newest frames; NaN without a value model."""
        if self._value is None:
            return float("nan")
        size = (self._value.config.height, self._value.config.width)
        views = np.stack([resize_frame(seen.frames[name][-1], size) for name in self._contract.camera_names])
        return float(self._value(torch.from_numpy(views)[None], [instruction]).value[0])

    def warm_up(self) -> float:
        """One inference on a grey picture; how long it took, s."""
        begin = time.monotonic()
        frames = {
            camera.name: np.full((len(self.history), camera.height, camera.width, 3), 128, np.uint8)
            for camera in self._contract.cameras
        }
        grey = Observation(0, np.zeros(self._contract.action_dim, np.float32), frames)
        self.infer(grey, "")
        self.value(grey, "")
        return time.monotonic() - begin
