"""The world model of a run asked for the present observation: the same steps as in training and evaluation, no ROS."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rise_learning.errors import CheckpointError, PolicyError
from rise_learning.nodes.live_policy import policy_input
from rise_learning.policy.location import policy_bins, policy_directory
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.imagination import Starts
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_robot.core.chunk import Chunk
from rise_robot.core.contract import Contract
from rise_robot.core.observation_buffer import Observation
from rise_worldmodel.trust import TrustConfig
from rise_worldmodel.visualize import future_pictures


@dataclass(frozen=True)
class ImaginedFuture:
    """What a chunk would lead to.

    Attributes:
        frames: (F, V, h, w, 3) uint8.
        values: (F,) their V. value_now: V of the observation.
        trust: in (0, 1]; NaN where it was not asked for.
        advantage_bin: 1 and up; 0 where the run has no bins.
    """

    frames: torch.Tensor
    values: np.ndarray
    value_now: float
    advantage: float
    trust: float
    advantage_bin: int

    def pictures(self) -> list[np.ndarray]:
        """F images (H, W, 3) uint8: the views side by side, above the curve of V up to there."""
        return future_pictures(self.frames, self.values, self.value_now)


def bins_of(run: Path) -> AdvantageBins | None:
    """Those of the newest policy of a run; None where it has no policy, or one that knows no bins."""
    try:
        directory = policy_directory(run)
    except CheckpointError:
        return None
    return policy_bins(directory)


def ahead(chunk: Chunk, now_ns: int, contract: Contract) -> np.ndarray:
    """(K, A) what of a chunk is still ahead at `now_ns`; after its end the robot holds the last command.

    Raises:
        PolicyError: all of it lies in the past.
    """
    passed = round((now_ns - chunk.stamp_ns) * 1e-9 / contract.control_period_s)
    if passed >= len(chunk.actions):
        raise PolicyError(f"the newest chunk ended {passed - len(chunk.actions)} control periods ago; none is current")
    return held(chunk.actions[max(0, passed) :], contract)


def held(actions: np.ndarray, contract: Contract) -> np.ndarray:
    """(K, A) float32: a chunk that ends early, its last command held."""
    index = np.minimum(np.arange(contract.chunk_size), len(actions) - 1)
    return actions[index].astype(np.float32)


class LiveImagination:
    """Args:
    run: directory with dynamics and value.
    contract: of the robot; must be that of both.
    steps: Euler steps where a call names none; 0: those that the dynamics are meant for.
    trust: say how far imaginations may be trusted.
    """

    def __init__(self, run: Path, contract: Contract, *, steps: int, trust: bool) -> None:
        asked = TrustConfig() if trust else None
        self._world = LearnedWorldModel(run, contract, dynamics_steps=steps or None, trust=asked)
        self._contract = contract
        self._bins = bins_of(run)

    @property
    def history(self) -> tuple[int, ...]:
        """Frames that it looks at, relative to now, at frame rate."""
        return tuple(range(1 - self._contract.context_frames, 1))

    def imagine(
        self, seen: Observation, actions: np.ndarray, instruction: str, *, seed: int, steps: int = 0
    ) -> ImaginedFuture:
        """What (K, A) commands, rad and m, lead to from `seen`; `steps` 0: those of the model."""
        config = self._world.model.dynamics.config
        inputs = policy_input(seen, self._contract, (config.height, config.width), instruction, 0)
        starts = Starts(inputs.images, inputs.state, inputs.instructions)
        found = self._world.predict(starts, torch.from_numpy(actions)[None], seed, steps=steps or None)
        advantage = float(found.advantage[0])
        return ImaginedFuture(
            frames=found.frames[0],
            values=found.values[0].double().numpy(),
            value_now=float(found.value_now[0]),
            advantage=advantage,
            trust=float("nan") if found.trust is None else float(found.trust[0]),
            advantage_bin=0 if self._bins is None else int(self._bins(np.array([advantage]))[0]),
        )

    def warm_up(self) -> float:
        """One imagination of a grey picture; how long it took, s."""
        begin = time.monotonic()
        contract = self._contract
        frames = {
            camera.name: np.full((len(self.history), camera.height, camera.width, 3), 128, np.uint8)
            for camera in contract.cameras
        }
        still = np.zeros((contract.chunk_size, contract.action_dim), np.float32)
        self.imagine(Observation(0, still[0], frames), still, "", seed=0)
        return time.monotonic() - begin
