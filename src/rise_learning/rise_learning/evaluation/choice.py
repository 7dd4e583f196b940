"""The best of several chunks at run time: judged in imagination, or by the simulator itself, which is the ceiling."""

from __future__ import annotations

import numpy as np
import torch

from rise_learning.rl.imagination import Starts, WorldModel
from rise_learning.rl.simulated_world_model import play
from rise_robot.sim.robot import SimulatedRobot


class ImaginedChoice:
    """The chunk with the highest imagined advantage (beyond the paper), by its last `judged_frames`; 0 takes all."""

    def __init__(self, world_model: WorldModel, judged_frames: int = 0) -> None:
        self.world_model, self.judged_frames = world_model, judged_frames

    def __call__(self, starts: Starts, chunks: np.ndarray, robot: SimulatedRobot, rng: np.random.Generator) -> int:
        """Number of the chosen one of (N, K, A) chunks from one observed state."""
        seed = int(rng.integers(2**31))
        found = self.world_model.imagine(starts.repeat(len(chunks)), torch.from_numpy(chunks), seed)
        return int(found.judged(self.judged_frames).argmax())


class SimulatedChoice:
    """The chunk with the highest mean progress when played to its end in the simulator, which is then put back.

    `judged_frames`: as of `ImaginedChoice`.
    """

    def __init__(self, judged_frames: int = 0) -> None:
        self.judged_frames = judged_frames

    def __call__(self, starts: Starts, chunks: np.ndarray, robot: SimulatedRobot, rng: np.random.Generator) -> int:
        """Number of the chosen one of (N, K, A) chunks from the robot's present state."""
        saved, means = robot.get_state(), []
        for chunk in chunks:
            means.append(float(np.mean(play(robot, chunk)[0][-self.judged_frames :])))
            robot.set_state(saved)
        return int(np.argmax(means))
