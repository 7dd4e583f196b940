"""What would have happened: chunks from one saved simulator state, each executed, filmed and judged by physics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rise_learning.data.loading import policy_frames
from rise_learning.evaluation.mistakes import MISTAKES, Mistake, no_mistake
from rise_learning.rl.simulated_world_model import play
from rise_robot.core.contract import Contract
from rise_robot.sim.experts import make_expert
from rise_robot.sim.robot import RobotState, SimulatedRobot
from rise_robot.sim.tasks import TaskSetting

EXPERT = "expert"


def kinds_of(task: str) -> tuple[str, ...]:
    """Of the chunks that are compared: the expert's, then six corrupted ones."""
    return (EXPERT, "noise_small", "noise_large", "other_episode", *MISTAKES[task], "standing_still")


KINDS = kinds_of("brick_sorting")
CORRUPTIONS = KINDS[1:]
NOISE = {"noise_small": 0.07, "noise_large": 0.25}
"""Standard deviation of smooth noise on joint commands, rad; grippers get a tenth of it, in m."""
NOISE_KEEP = 0.8
"""Correlation of the noise from one control step to the next, as in the expert's own."""
SETTLE_S = 0.5
"""How long the last command is held after a chunk before the objects are looked at."""


@dataclass(frozen=True)
class Branch:
    """A state of the expert's episode from which chunks are compared.

    Attributes:
        robot, expert: what restores simulator and expert.
        context: (C, V, h, w, 3) uint8, the last frames up to now as the policy sees them.
        state: (A,) float32 joint positions now, rad and m.
        chunk: (K, A) float32 what the expert goes on to command.
    """

    seed: int
    step: int
    robot: RobotState
    expert: dict[str, Any]
    context: np.ndarray
    state: np.ndarray
    instruction: str
    chunk: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """What came of N chunks from one state, in the order of `kinds_of` the task.

    Attributes:
        context, state, instruction: see Branch.
        chunks: (N, K, A) float32.
        frames: (N, F, V, h, w, 3) uint8 true frames; the last frame of an episode stands for what follows, as in the
            labels of recorded chunks.
        consequences: per chunk what became of each object.
    """

    seed: int
    step: int
    context: np.ndarray
    state: np.ndarray
    instruction: str
    chunks: np.ndarray
    frames: np.ndarray
    consequences: tuple[tuple[str, ...], ...]

    @property
    def differs(self) -> np.ndarray:
        """(N,) bool: the objects fared otherwise than with the expert's chunk, which comes first."""
        return np.array([found != self.consequences[0] for found in self.consequences])


class CounterfactualSimulator:
    """Branches and comparisons of one task; everything follows from the seed of an episode.

    Args:
        image_size: (height, width) of frames.
    """

    def __init__(self, contract: Contract, task: TaskSetting, image_size: tuple[int, int]) -> None:
        self.contract, self.image_size = contract, image_size
        self.kinds = kinds_of(task.name)
        self.robot = SimulatedRobot(contract, task.name, task.config)

    def branch(self, seed: int) -> Branch:
        """A frame of the clean expert's episode of `seed`, drawn evenly from those before the task is decided."""
        robot, stride = self.robot, self.contract.actions_per_frame
        robot.reset(seed)
        expert = make_expert(robot, np.random.default_rng([seed, 1]))
        snapshots: list[tuple[RobotState, dict[str, Any]]] = []
        while robot.outcome == "running" and not robot.task.decided:
            if robot.control_step % stride == 0:
                snapshots.append((robot.get_state(), expert.get_state()))
            robot.step(expert.action())
        now = int(np.random.default_rng([seed, 2]).integers(len(snapshots)))
        saved, memory = snapshots[now]
        chunk = self._expert_chunk(saved, memory, no_mistake, np.random.default_rng(0))
        found = self.branch_at([state for state, _ in snapshots], now)
        return replace(found, expert=memory, chunk=chunk)

    def branch_at(self, saved: list[RobotState], now: int) -> Branch:
        """A branch at `saved[now]` of an episode's states, one a frame; without an expert and its chunk."""
        first = now + 1 - self.contract.context_frames
        context = np.stack([self._frame(saved[max(0, i)]) for i in range(first, now + 1)])
        joints = self.robot.joint_positions.astype(np.float32)
        nobody = np.empty((0, self.contract.action_dim), np.float32)
        state = saved[now]
        return Branch(state.seed, state.step, state, {}, context, joints, self.robot.instruction, nobody)

    def compare(self, branch: Branch, other_chunk: np.ndarray) -> Comparison:
        """Execute every kind of chunk from `branch`.

        Args:
            other_chunk: (K, A) the expert's chunk of another episode.
        """
        chunks = np.stack([self._chunk(kind, branch, other_chunk) for kind in self.kinds])
        frames, consequences = zip(*[self.execute(branch, chunk) for chunk in chunks], strict=True)
        return Comparison(
            branch.seed,
            branch.step,
            branch.context,
            branch.state,
            branch.instruction,
            chunks,
            np.stack(frames),
            consequences,
        )

    def close(self) -> None:
        """Free the OpenGL contexts."""
        self.robot.close()

    def _chunk(self, kind: str, branch: Branch, other_chunk: np.ndarray) -> np.ndarray:
        """(K, A) float32 the chunk of one kind, within the limits of the contract."""
        rng = np.random.default_rng([branch.seed, 3, self.kinds.index(kind)])
        if kind == "expert":
            return branch.chunk
        if kind in NOISE:
            noisy = branch.chunk + smooth_noise(self.contract, NOISE[kind], rng)
            return np.clip(noisy, self.contract.joint_array("lower"), self.contract.joint_array("upper")).astype("f4")
        if kind == "other_episode":
            return other_chunk
        if kind == "standing_still":
            self.robot.set_state(branch.robot)
            return np.tile(self.robot.command, (self.contract.chunk_size, 1)).astype(np.float32)
        return self._expert_chunk(branch.robot, branch.expert, MISTAKES[self.robot.task.name][kind], rng)

    def _expert_chunk(
        self, saved: RobotState, memory: dict[str, Any], mistake: Mistake, rng: np.random.Generator
    ) -> np.ndarray:
        """(K, A) float32 commands of the expert from a saved state; the last one is repeated where the episode ends."""
        robot = self.robot
        robot.set_state(saved)
        act = mistake(robot, memory, rng)
        commands = [robot.command]
        while robot.outcome == "running" and len(commands) <= self.contract.chunk_size:
            commands.append(act())
            robot.step(commands[-1])
        index = np.minimum(np.arange(1, self.contract.chunk_size + 1), len(commands) - 1)
        return np.array(commands, dtype=np.float32)[index]

    def execute(self, branch: Branch, chunk: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """True frames (F, V, h, w, 3) of a chunk, and what became of each object a little later."""
        self.robot.set_state(branch.robot)
        _, frames = play(self.robot, chunk, lambda robot: self._frame())
        for _ in range(round(SETTLE_S / self.contract.control_period_s)):
            if self.robot.outcome == "running":
                self.robot.step(chunk[-1])
        return np.stack(frames), self.robot.consequences()

    def _frame(self, saved: RobotState | None = None) -> np.ndarray:
        """(V, h, w, 3) uint8 of a saved state, or of the present one."""
        if saved is not None:
            self.robot.set_state(saved)
        return policy_frames(self.robot.render(), self.contract, self.image_size)


def smooth_noise(contract: Contract, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """(K, A) first-order noise that starts at 0, so that the chunk leaves from where the robot is."""
    scale = np.where(contract.joint_array("upper") < 0.2, 0.1 * sigma, sigma)
    fresh = rng.normal(size=(contract.chunk_size, contract.action_dim)) * scale * np.sqrt(1 - NOISE_KEEP**2)
    noise = np.zeros(contract.action_dim)
    return np.stack([noise := NOISE_KEEP * noise + row for row in fresh])
