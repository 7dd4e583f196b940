"""A policy in the loop with the simulated robot, as deployed: asynchronous inference, temporal ensembling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from rise_learning.data.loading import resize_frame
from rise_learning.policy.interface import Policy, PolicyInput
from rise_robot.core.contract import Contract
from rise_robot.core.ensembler import ChunkEnsembler
from rise_robot.core.images import decode_jpeg, encode_jpeg
from rise_robot.sim.robot import SimulatedRobot

Chooser = Callable[[Policy, PolicyInput, np.random.Generator, SimulatedRobot], np.ndarray]


@dataclass(frozen=True)
class DeploymentConfig:
    """How a policy is run."""

    replan_steps: int = 10
    """Control steps between two observations that the policy answers."""
    latency_steps: int = 2
    """Control steps from an observation to the arrival of its chunk (66 ms at 30 Hz)."""
    advantage_bin: int = 10
    """Bin asked for; deployment asks for the top one."""
    flow_steps: int = 5
    guidance: float = 1.0
    """Classifier-free guidance on the bin; 1 is off."""


def sample_once(policy: Policy, inputs: PolicyInput, rng: np.random.Generator, config: DeploymentConfig) -> np.ndarray:
    """One chunk per row of `inputs`: (B, K, A)."""
    noise = torch.from_numpy(rng.standard_normal((len(inputs.bins), policy.config.basis_size)).astype(np.float32))
    return policy.sample(inputs, noise, steps=config.flow_steps, guidance=config.guidance).numpy()


def policy_frames(images: dict[str, np.ndarray], contract: Contract, size: tuple[int, int]) -> np.ndarray:
    """(V, h, w, 3) uint8 as learning sees rendered `images`: through JPEG and the resizing of bags."""
    jpegs = [encode_jpeg(images[name], contract.jpeg_quality) for name in contract.camera_names]
    return np.stack([resize_frame(decode_jpeg(jpeg), size) for jpeg in jpegs])


class PolicyAgent:
    """`action()` once per control step, from the simulator's present observation.

    Frames pass through JPEG and the same resizing as those of bags, so that the policy sees what it was trained on.
    Rendering happens only at steps that an inference will look at, and not at all where `observe` brought the frames.

    Args:
        choose: replaces plain sampling, e.g. by the best of several candidates; (policy, inputs, rng, robot) -> (K, A).
    """

    def __init__(
        self,
        robot: SimulatedRobot,
        policy: Policy,
        config: DeploymentConfig,
        rng: np.random.Generator,
        choose: Chooser | None = None,
    ) -> None:
        self.robot, self.policy, self.config, self.rng, self.choose = robot, policy, config, rng, choose
        self._ensembler = ChunkEnsembler(robot.contract.action_dim)
        self.reset()

    def reset(self) -> None:
        """An episode begins; the robot is at its start pose."""
        self._ensembler.reset()
        self._step = 0
        self._last = self.robot.joint_positions.copy()
        self._frames: dict[int, np.ndarray] = {}
        self._pending: list[tuple[int, int, np.ndarray]] = []
        self._seen: dict[str, np.ndarray] = {}

    def observe(self, stamp: int, joint_positions: np.ndarray, images: dict[str, np.ndarray]) -> None:
        """Take over the frames that were rendered for this control step anyway."""
        self._seen = images

    def action(self) -> np.ndarray:
        """(A,) command of this control step; holds the last one where no chunk reaches."""
        stride = self.robot.contract.actions_per_frame
        offsets = [offset * stride for offset in self.policy.config.history]
        if any((self._step - offset) % self.config.replan_steps == 0 for offset in offsets) or self._step == 0:
            self._frames[self._step] = self._observe()
        if self._step % self.config.replan_steps == 0:
            latency = 0 if self._step == 0 else self.config.latency_steps
            self._pending.append((self._step + latency, self._step, self._infer(offsets)))
        while self._pending and self._pending[0][0] <= self._step:
            _, first, chunk = self._pending.pop(0)
            self._ensembler.add(first, chunk, self._step)
        planned = self._ensembler.action(self._step)
        self._last = self._last if planned is None else planned
        self._step += 1
        return self._last

    def _observe(self) -> np.ndarray:
        """(V, h, w, 3) uint8 as the policy sees it."""
        contract = self.robot.contract
        missing = [name for name in contract.camera_names if name not in self._seen]
        images = {**self._seen, **self.robot.render(missing)}
        return policy_frames(images, contract, self.policy.config.image_size)

    def _infer(self, offsets: list[int]) -> np.ndarray:
        history = np.stack([self._frames[max(0, self._step + offset)] for offset in offsets])
        self._frames = {step: frame for step, frame in self._frames.items() if step >= self._step + min(offsets)}
        inputs = PolicyInput(
            torch.from_numpy(history)[None],
            torch.from_numpy(self.robot.joint_positions.astype(np.float32))[None],
            [self.robot.instruction],
            torch.tensor([self.config.advantage_bin]),
        )
        if self.choose is not None:
            return self.choose(self.policy, inputs, self.rng, self.robot)
        return sample_once(self.policy, inputs, self.rng, self.config)[0]
