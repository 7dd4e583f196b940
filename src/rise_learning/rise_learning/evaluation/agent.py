"""A policy in the loop with the simulated robot, as deployed: asynchronous inference, temporal ensembling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from rise_learning.data.loading import policy_frames
from rise_learning.policy.checkpoint import TrainedPolicy
from rise_learning.policy.interface import Policy, PolicyInput
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagination import Starts
from rise_robot.core.ensembler import ChunkEnsembler
from rise_robot.sim.robot import SimulatedRobot

Chooser = Callable[[Starts, np.ndarray, SimulatedRobot, np.random.Generator], int]
"""(what is seen, (N, K, A) commands of the next K control steps, the robot, random numbers) -> which to play."""


@dataclass(frozen=True)
class DeploymentConfig:
    """How a policy is run."""

    replan_steps: int = 10
    """Control steps between two observations that the policy answers."""
    latency_steps: int = 2
    """Control steps from an observation to the arrival of its chunk (66 ms at 30 Hz)."""
    blend_steps: int = 0
    """Control steps after which a new chunk has replaced the plan; 0: at the end of their overlap (Sec. X-B)."""
    advantage_bin: int | None = None
    """Bin asked for, 0 for none; not given: the best one."""
    flow_steps: int | None = None
    """Euler steps of one inference; not given: those of the policy's configuration."""
    guidance: float = 1.0
    """Classifier-free guidance on the bin; 1 is off."""
    noise_scale: float = 1.0
    """Of the noise that a chunk begins as: 1 samples what was learned, 0 asks for the most typical chunk."""
    candidates: int = 1
    """Chunks sampled by one inference; above 1 somebody has to choose (beyond the paper)."""
    judged_frames: int = 0
    """Last frames of a candidate whose values choose; 0 takes all, as Eq. 2, and prefers haste."""
    tolerance: float = 0.0
    """What the first candidate, the policy's own, may be judged below the best one and is still played."""
    time_shift: float = 0.0
    """Control steps by which chunks come early or late at most: all candidates but the first, or, where nobody chooses,
    what is played, so that bags hold what happens beside what the policy would do."""
    tool_shift: float = 0.0
    """Likewise the standard deviation, m, by which tools are moved aside; each arm then goes its own way."""


def noise_of_episode(seed: int) -> np.random.Generator:
    """Random numbers of a policy in the episode of `seed`: apart from those that its scene is drawn with."""
    return np.random.default_rng([seed, 5])


def sample_once(policy: Policy, inputs: PolicyInput, rng: np.random.Generator, config: DeploymentConfig) -> np.ndarray:
    """One chunk per row of `inputs`: (B, K, A)."""
    noise = torch.from_numpy(rng.standard_normal((len(inputs.bins), policy.config.basis_size)).astype(np.float32))
    noise *= config.noise_scale
    return policy.sample(inputs, noise, steps=config.flow_steps, guidance=config.guidance).numpy()


class PolicyAgent:
    """`action()` once per control step, from the simulator's present observation.

    Frames pass through JPEG and the same resizing as those of bags, so that the policy sees what it was trained on.
    Rendering happens only at steps that an inference will look at, and not at all where `observe` brought the frames.

    Args:
        choose: picks one of `config.candidates` chunks by what would be executed of each, blended into the plan; it
            sees the context that a world model needs.
    """

    def __init__(
        self,
        robot: SimulatedRobot,
        trained: TrainedPolicy,
        config: DeploymentConfig,
        rng: np.random.Generator,
        choose: Chooser | None = None,
    ) -> None:
        """Raises ConfigError where the policy has no such advantage bin."""
        self.robot, self.policy, self.config, self.rng, self.choose = robot, trained.policy, config, rng, choose
        self._bin = trained.bin_asked(config.advantage_bin)
        self._explore = Explorer.of(robot.contract, config.time_shift, config.tool_shift)
        self._ensembler = ChunkEnsembler(robot.contract.action_dim, config.blend_steps)
        stride = robot.contract.actions_per_frame
        self._history = [offset * stride for offset in self.policy.config.history]
        context = range(1 - robot.contract.context_frames, 1) if choose else ()
        self._context = [offset * stride for offset in context]
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
        looks = (*self._history, *self._context)
        if any((self._step - offset) % self.config.replan_steps == 0 for offset in looks) or self._step == 0:
            self._frames[self._step] = self._observe()
        if self._step % self.config.replan_steps == 0:
            arrival = self._step + (0 if self._step == 0 else self.config.latency_steps)
            self._pending.append((arrival, self._step, self._infer(arrival)))
        return self._act()

    def _act(self) -> np.ndarray:
        """(A,) what the plan says for this control step, chunks that have arrived included."""
        while self._pending and self._pending[0][0] <= self._step:
            _, first, chunk = self._pending.pop(0)
            self._ensembler.add(first, chunk, self._step)
        planned = self._ensembler.action(self._step)
        self._last = self._last if planned is None else planned
        self._step += 1
        return self._last

    @property
    def chooses(self) -> bool:
        """Whether one of several chunks is picked; the first of them is then the policy's own."""
        return self.choose is not None

    @property
    def _candidates(self) -> int:
        """Chunks that the next inference samples."""
        return self.config.candidates if self.chooses else 1

    def _pick(self, starts: Starts, chunks: np.ndarray, arrival: int) -> int:
        """Which of (N, K, A) chunks to play."""
        assert self.choose is not None
        executed = np.stack([self._ensembler.preview(self._step, chunk, arrival, self._last) for chunk in chunks])
        return self.choose(starts, executed, self.robot, self.rng)

    def _observe(self) -> np.ndarray:
        """(V, h, w, 3) uint8 as the policy sees it."""
        contract = self.robot.contract
        missing = [name for name in contract.camera_names if name not in self._seen]
        images = {**self._seen, **self.robot.render(missing)}
        return policy_frames(images, contract, self.policy.config.image_size)

    def _infer(self, arrival: int) -> np.ndarray:
        """(K, A), on its way until control step `arrival`."""
        history, context = self._frames_at(self._history), self._frames_at(self._context)
        oldest = self._step + min((*self._history, *self._context))
        self._frames = {step: frame for step, frame in self._frames.items() if step >= oldest}
        count = self._candidates
        state = torch.from_numpy(self.robot.joint_positions.astype(np.float32))[None]
        inputs = PolicyInput(
            history.repeat(count, 1, 1, 1, 1, 1),
            state.repeat(count, 1),
            [self.robot.instruction] * count,
            torch.full((count,), self._bin),
        )
        chunks = sample_once(self.policy, inputs, self.rng, self.config)
        own = 1 if self.chooses else 0
        chunks[own:] = self._explore(torch.from_numpy(chunks[own:]), inputs.state[own:], self.rng).numpy()
        which = self._pick(Starts(context, state, [self.robot.instruction]), chunks, arrival) if self.chooses else 0
        picked: np.ndarray = chunks[which]
        return picked

    def _frames_at(self, offsets: list[int]) -> torch.Tensor:
        """(1, T, V, h, w, 3) uint8 at control steps relative to now; the first frame stands for what was before it."""
        if not offsets:
            return torch.empty(0)
        return torch.from_numpy(np.stack([self._frames[max(0, self._step + offset)] for offset in offsets]))[None]
