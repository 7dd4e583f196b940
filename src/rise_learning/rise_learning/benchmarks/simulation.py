"""Control periods a second of a simulated task through Gymnasium: with and without images, in one and two processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.vector import AsyncVectorEnv

from rise_learning.benchmarks.measure import Measurement, race
from rise_learning.benchmarks.workload import Workload
from rise_robot.core.contract import Contract, config_path
from rise_robot.gym import ENVIRONMENTS, GymTask
from rise_robot.sim.cell import TIMESTEP
from rise_robot.sim.environment import Observation

TASK = "box_closing"
STEPS = 5
"""Control periods of one round; an episode without a policy lasts longer than all rounds."""
ROUNDS = 3


class StockCameras:
    """The cameras drawn as MuJoCo draws when nobody changes a setting: multisampling, shadows, reflections, sky.

    Args:
        sizes: (height, width) by camera.
    """

    def __init__(self, model: mujoco.MjModel, sizes: dict[str, tuple[int, int]]) -> None:
        untouched = mujoco.MjModel.from_xml_string("<mujoco><worldbody><light/></worldbody></mujoco>")
        for name in ("offsamples", "numslices", "numstacks", "numquads", "shadowsize"):
            setattr(model.vis.quality, name, getattr(untouched.vis.quality, name))
        model.light_castshadow[:] = untouched.light_castshadow[0]
        self._sizes = sizes
        self._renderers = {size: mujoco.Renderer(model, *size) for size in set(sizes.values())}

    def render(self, data: mujoco.MjData) -> dict[str, np.ndarray]:
        """(H, W, 3) uint8 RGB by camera name."""
        images = {}
        for name, size in self._sizes.items():
            self._renderers[size].update_scene(data, camera=name)
            images[name] = self._renderers[size].render()
        return images


class StockTask(GymTask):
    """The same task, drawn by StockCameras."""

    def __init__(self, task: str) -> None:
        super().__init__(task)
        self.environment.render = False
        self._stock: StockCameras | None = None

    def _seen(self, observation: Observation) -> dict[str, np.ndarray]:
        robot = self.environment.robot
        if self._stock is None:
            sizes = {camera.name: (camera.height, camera.width) for camera in robot.contract.cameras}
            self._stock = StockCameras(robot.task.model, sizes)
        return super()._seen(observation) | self._stock.render(robot.task.data)


def simulation(workload: Workload) -> list[Measurement]:
    """Wall time, because processes are compared; the start of processes and the reset are not counted."""
    ours, stock = f"{TASK}, three cameras of 48 x 64", "stock renderer settings"
    rates = _rates()
    rows = [
        (f"{ours}, one process", rates["images"], stock, rates["stock"]),
        (f"{ours}, two processes", rates["images 2"], stock, rates["stock 2"]),
        (f"{TASK}, no images, one process", rates["physics"], "mj_step alone, no task around it", rates["mj_step"]),
        (f"{TASK}, no images, two processes", rates["physics 2"], "one process", rates["physics"]),
    ]
    return [
        Measurement(f"control periods: {what}", "1/s", ours, other, value, "higher", ROUNDS)
        for what, ours, other, value in rows
    ]


def _rates() -> dict[str, float]:
    """Control periods per second, median over rounds that take turns."""
    single: dict[str, gymnasium.Env[Any, Any]] = {
        "images": gymnasium.make(ENVIRONMENTS[TASK]),
        "stock": StockTask(TASK),
        "physics": gymnasium.make(ENVIRONMENTS[TASK], images=False),
    }
    vector = {
        "images 2": AsyncVectorEnv([lambda: GymTask(TASK)] * 2, context="spawn"),
        "stock 2": AsyncVectorEnv([lambda: StockTask(TASK)] * 2, context="spawn"),
        "physics 2": AsyncVectorEnv([lambda: GymTask(TASK, images=False)] * 2, context="spawn"),
    }
    try:
        calls = [_stepping(environment) for environment in (*single.values(), *vector.values())]
        times = race(*calls, _bare_physics(), rounds=ROUNDS, clock=time.perf_counter, budget_s=60.0)
    finally:
        for environment in (*single.values(), *vector.values()):
            environment.close()
    names = [*single, *vector, "mj_step"]
    many = [2 if name in vector else 1 for name in names]
    return {name: n * STEPS / float(np.median(t)) for name, n, t in zip(names, many, times, strict=True)}


def _stepping(environment: Any) -> Callable[[], None]:
    """STEPS control periods of holding still."""
    hold = environment.reset(seed=0)[0]["state"]

    def step() -> None:
        for _ in range(STEPS):
            environment.step(hold)

    return step


def _bare_physics() -> Callable[[], None]:
    contract = Contract.load(config_path("contract_tiny.yaml"))
    robot = GymTask(TASK, images=False).environment.robot
    robot.reset(0)
    substeps = round(contract.control_period_s / TIMESTEP)

    def step() -> None:
        for _ in range(STEPS):
            mujoco.mj_step(robot.task.model, robot.task.data, nstep=substeps)

    return step
