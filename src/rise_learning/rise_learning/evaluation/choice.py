"""The best of several chunks at run time: judged in imagination, or by the simulator itself, which is the ceiling."""

from __future__ import annotations

import numpy as np
import torch

from rise_learning.rl.imagination import Starts, WorldModel
from rise_learning.rl.imagined_episodes import needed_correction
from rise_learning.rl.simulated_world_model import play
from rise_robot.sim.robot import SimulatedRobot


class ImaginedChoice:
    """The chunk with the highest imagined advantage (beyond the paper), by its last `judged_frames`; 0 takes all.

    Whoever picks the best of many picks errors of the imagination, too: the policy's own chunk, the first, is played
    unless another is judged better by more than `tolerance` (`needed_correction`).
    """

    def __init__(self, world_model: WorldModel, judged_frames: int = 0, tolerance: float = 0.0) -> None:
        self.world_model, self.judged_frames, self.tolerance = world_model, judged_frames, tolerance

    def __call__(self, starts: Starts, chunks: np.ndarray, robot: SimulatedRobot, rng: np.random.Generator) -> int:
        """Number of the chosen one of (N, K, A) chunks from one observed state."""
        seed = int(rng.integers(2**31))
        commands = torch.from_numpy(chunks.astype(np.float32))  # blended into the plan they are of double precision
        found = self.world_model.imagine(starts.repeat(len(chunks)), commands, seed)
        return int(needed_correction(found.judged(self.judged_frames)[None], chunks[None], self.tolerance)[0])


class SimulatedChoice:
    """The chunk with the highest mean progress when played to its end in the simulator, which is then put back.

    `judged_frames` and `tolerance`: as of `ImaginedChoice`.
    """

    def __init__(self, judged_frames: int = 0, tolerance: float = 0.0) -> None:
        self.judged_frames, self.tolerance = judged_frames, tolerance

    def __call__(self, starts: Starts, chunks: np.ndarray, robot: SimulatedRobot, rng: np.random.Generator) -> int:
        """Number of the chosen one of (N, K, A) chunks from the robot's present state."""
        saved, means = robot.get_state(), []
        for chunk in chunks:
            means.append(float(np.mean(play(robot, chunk)[0][-self.judged_frames :])))
            robot.set_state(saved)
        return int(needed_correction(np.array(means)[None], chunks[None], self.tolerance)[0])
