"""The simulated tasks as Gymnasium environments, so that other people's policies and RL libraries can run on them.

    import gymnasium
    import rise_robot.gym  # registers rise/BrickSorting-v0, rise/BackpackPacking-v0 and rise/BoxClosing-v0
    environment = gymnasium.make("rise/BoxClosing-v0", level="hard")
    many = gymnasium.make_vec("rise/BoxClosing-v0", num_envs=2, vectorization_mode="async")  # one process each

Observations are `state` (A,) float32 (rad; grippers in m) and one (H, W, 3) uint8 RGB image per camera. Actions are
absolute joint targets (A,) within the contract's limits, one per control period. The reward is what the rubric gave in
that period divided by 10, so that a perfect episode returns 1; an episode terminates when physics has decided it (the
tasks' own time limits included), and `info` then says `is_success` and `failure_reason`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SimulationError
from rise_robot.sim.environment import Observation, TaskEnvironment
from rise_robot.sim.task import MAX_SCORE
from rise_robot.sim.tasks import DEFAULT_LEVEL, TASKS, level_config

ENVIRONMENTS = {name: f"rise/{''.join(word.title() for word in name.split('_'))}-v0" for name in sorted(TASKS)}
"""Identifier of the environment by name of the task."""


class GymTask(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """One task behind Gymnasium's interface.

    Args:
        task: name in `sim.tasks.TASKS`.
        level: difficulty of resets that do not name one.
        contract: of the robot and its cameras; a path, or None for the tiny one.
        images: False leaves the images out of the observation.
        render_mode: `rgb_array`, for `render()` from the camera `render_camera`; None.
        render_camera: a camera of the contract.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012, Gymnasium's own way

    def __init__(
        self,
        task: str,
        *,
        level: str = DEFAULT_LEVEL,
        contract: str | Path | None = None,
        images: bool = True,
        render_mode: str | None = None,
        render_camera: str = "top",
    ) -> None:
        level_config(task, level)
        self._contract = Contract.load(contract or config_path("contract_tiny.yaml"))
        if render_camera not in self._contract.camera_names:
            raise SimulationError(f"unknown camera {render_camera!r}; there are {list(self._contract.camera_names)}")
        self._environment = TaskEnvironment(task, self._contract, render=images)
        self._level, self.render_mode, self._render_camera = level, render_mode, render_camera
        lower, upper = (self._contract.joint_array(side).astype(np.float32) for side in ("lower", "upper"))
        self.action_space = spaces.Box(lower, upper)
        # A joint pressed against its limit gives way a little.
        seen: dict[str, spaces.Space[Any]] = {"state": spaces.Box(lower - 0.2, upper + 0.2)}
        if images:
            for camera in self._contract.cameras:
                seen[camera.name] = spaces.Box(0, 255, (camera.height, camera.width, 3), np.uint8)
        self.observation_space = spaces.Dict(seen)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode: of the scene `seed` where one is given, else of one drawn by the generator last seeded.

        Args:
            options: `level` of this episode.
        """
        super().reset(seed=seed)
        scene = int(self.np_random.integers(2**31)) if seed is None else seed
        observation = self._environment.reset(scene, (options or {}).get("level", self._level))
        return self._seen(observation), self._info(scene_seed=scene)

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One control period."""
        before = self._environment.score
        transition = self._environment.step(np.asarray(action, float))
        reward = (self._environment.score - before) / MAX_SCORE
        over = transition.outcome != "running"
        events = [event.name for event in transition.events]
        return self._seen(transition.observation), reward, over, False, self._info(events=events)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """(H, W, 3) uint8 RGB in mode `rgb_array`."""
        if self.render_mode != "rgb_array":
            return None
        return self._environment.robot.render([self._render_camera])[self._render_camera]

    def close(self) -> None:
        self._environment.close()

    @property
    def environment(self) -> TaskEnvironment:
        """The task underneath, for experts and for what Gymnasium has no word for."""
        return self._environment

    def _seen(self, observation: Observation) -> dict[str, np.ndarray]:
        return {"state": observation.state.astype(np.float32), **observation.images}

    def _info(self, **more: Any) -> dict[str, Any]:
        environment = self._environment
        return {
            "instruction": environment.instruction,
            "score": environment.score,
            "is_success": environment.success,
            "failure_reason": environment.failure_reason,
            **more,
        }


for _task, _identifier in ENVIRONMENTS.items():
    gymnasium.register(_identifier, entry_point="rise_robot.gym:GymTask", kwargs={"task": _task})
