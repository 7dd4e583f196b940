"""The simulated robot: two Piper arms and a task in MuJoCo, stepped by one absolute joint action per control period.

Example:
    contract = Contract.load(config_path("contract_tiny.yaml"))
    robot = SimulatedRobot(contract, config=BrickSortingConfig(bricks=1))
    robot.reset(seed=7)
    while robot.outcome == "running":
        result = robot.step(policy(robot.joint_positions, robot.render()))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import SimulationError
from rise_robot.core.rubric import RubricEventRecord
from rise_robot.sim.cell import ARM_BASE, ARMS, HOME, TIMESTEP
from rise_robot.sim.kinematics import PiperKinematics
from rise_robot.sim.last_seen import Shot
from rise_robot.sim.rendering import CameraRenderer, mujoco
from rise_robot.sim.task import Outcome
from rise_robot.sim.tasks import make_task

BELT_MARK = np.array([0.5, 0.0, 0.5])
"""Red, green and blue that belts are drawn in to be told apart: dark enough not to be clipped in full light."""
DIVERGENCES = [int(getattr(mujoco.mjtWarning, f"mjWARN_BADQ{of}")) for of in ("POS", "VEL", "ACC")]
DIVERGED = "physics diverged"
"""Why an episode failed whose state MuJoCo could not integrate: nobody's doing, but no success either."""


@dataclass(frozen=True)
class StepResult:
    """What one control period brought."""

    events: tuple[RubricEventRecord, ...]
    outcome: Outcome


@dataclass(frozen=True)
class RobotState:
    """A complete, immutable snapshot: physics, task, rubric and clock. Restoring it repeats the future bit by bit."""

    physics: np.ndarray
    task: Any
    step: int
    seed: int
    limit_hits: int
    diverged: bool = False


class SimulatedRobot:
    """Two arms, three cameras and a task; joints, limits, rates and cameras are those of the contract.

    Args:
        task: name in `tasks.TASKS`.
        config: of that task; None for its own default.

    Attributes:
        task: the running `Task`; experts and tests also read what is particular to it (`task.bricks`, ...).
        seed: of the running episode.
        limit_hits: numbers of an action clipped to the contract's position limits, since reset.
    """

    task: Any  # a `Task`

    def __init__(self, contract: Contract, task: str = "brick_sorting", config: Any = None) -> None:
        self.contract = contract
        self.kinematics = PiperKinematics(contract.dh_convention)
        self._substeps = round(contract.control_period_s / TIMESTEP)
        if abs(self._substeps * TIMESTEP - contract.control_period_s) > 1e-9:
            raise SimulationError(f"control rate {contract.control_rate_hz} Hz must divide {1 / TIMESTEP:.0f} Hz")
        self.task = make_task(task, contract, config)
        self._model, self._data = self.task.model, self.task.data
        self._renderer = CameraRenderer(self._model, {c.name: (c.height, c.width) for c in contract.cameras})
        self._belts = np.flatnonzero(self._model.geom_surfacevel.any(1))
        self._lower, self._upper = contract.joint_array("lower"), contract.joint_array("upper")
        self._index_joints()
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Start the episode of `seed`: the same seed and actions give the same episode."""
        self.seed, self._step, self.limit_hits, self._diverged = int(seed), 0, 0, False
        mujoco.mj_resetData(self._model, self._data)
        self.task.reset(np.random.default_rng(seed))
        home = np.tile(HOME, 2)
        home[self._revolute] += self.task.setup.home_offset
        self._write_joints(np.clip(home, self._lower, self._upper))
        mujoco.mj_forward(self._model, self._data)

    def clear_scene(self) -> None:
        """Put every object out of sight, under nominal light; `reset` or `set_state` bring them back."""
        self.task.clear()
        self._forward()

    def place(self, joint_positions: np.ndarray) -> None:
        """Put the arms at (A,) positions without simulating the way there, within the limits; objects stay."""
        self._write_joints(np.clip(joint_positions, self._lower, self._upper))
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def step(self, action: np.ndarray) -> StepResult:
        """Apply one action for one control period.

        Where physics diverges, the episode ends as a failure in the state before: MuJoCo itself would put every joint
        and object back to where the model has them, and go on.

        Args:
            action: (A,) absolute joint targets, rad; grippers in m of opening. Values outside the contract's limits
                are clipped and counted in `limit_hits`.

        Raises:
            SimulationError: wrong shape, not finite, or the episode is over.
        """
        action = np.asarray(action, float)
        if action.shape != self._lower.shape or not np.isfinite(action).all():
            raise SimulationError(f"action must be {self._lower.shape} finite numbers, got {action!r}")
        if self.outcome != "running":
            raise SimulationError(f"the episode ended as {self.outcome}; call reset(seed)")
        self.limit_hits += int((np.clip(action, self._lower, self._upper) != action).sum())
        self.task.before_step()
        self._data.ctrl[:] = self.as_executed(action)
        return StepResult(self._advance(), self.outcome)

    def as_executed(self, action: np.ndarray) -> np.ndarray:
        """(A,) what an action comes to: rounded to float32, as commands are read from bags, and within the limits.

        Contacts turn the eighth digit into a brick that is lost in the recording and lies there in its replay.
        """
        return np.clip(np.asarray(action, np.float32), self._lower, self._upper)

    @property
    def time(self) -> float:
        """Simulated time since reset, s."""
        return self._step * self.contract.control_period_s

    @property
    def control_step(self) -> int:
        """Control periods since reset."""
        return self._step

    @property
    def joint_positions(self) -> np.ndarray:
        """(A,) rad, grippers in m of opening, in the contract's order."""
        return self._gather(self._data.qpos, self._qpos)

    @property
    def joint_velocities(self) -> np.ndarray:
        """(A,) rad/s, grippers m/s."""
        return self._gather(self._data.qvel, self._qvel)

    @property
    def joint_efforts(self) -> np.ndarray:
        """(A,) N m, grippers N."""
        return self._data.actuator_force.copy()

    @property
    def command(self) -> np.ndarray:
        """(A,) the last command, rad and m: the start pose right after reset."""
        return self._data.ctrl.copy()

    @property
    def instruction(self) -> str:
        return self.task.instruction

    @property
    def outcome(self) -> Outcome:
        return "failure" if self._diverged else self.task.outcome

    @property
    def score(self) -> float:
        """Score of the rubric so far, 0 to 10."""
        return self.task.score

    @property
    def failure_reason(self) -> str:
        """Why the episode failed; "" while it runs and after a success."""
        return DIVERGED if self._diverged else self.task.failure_reason

    def progress(self) -> float:
        """Privileged, shaped task progress in [-1, 1]."""
        return self.task.progress({arm: self.tool_position(arm) for arm in ARMS})

    def consequences(self) -> tuple[str, ...]:
        """What became of each object so far, in words of the task."""
        return self.task.consequences()

    def tool_position(self, arm: str) -> np.ndarray:
        """(3,) m, the point between the fingertips of `arm` in the world frame."""
        return self._data.site(f"{arm}_tool").xpos.copy()

    def tool_pose(self, arm: str) -> tuple[np.ndarray, np.ndarray]:
        """`tool_position`, and (3, 3) axes there as columns: fingers open along the second, the third points out."""
        site = self._data.site(f"{arm}_tool")
        return site.xpos.copy(), site.xmat.reshape(3, 3).copy()

    def arm_base(self, arm: str) -> np.ndarray:
        """(3,) m, origin of the base frame of `arm` in the world frame (the axes are parallel)."""
        return ARM_BASE[arm].copy()

    def render(self, cameras: tuple[str, ...] | list[str] | None = None) -> dict[str, np.ndarray]:
        """(H, W, 3) uint8 RGB by camera name; all cameras of the contract when None."""
        names = self.contract.camera_names if cameras is None else cameras
        return {name: self._renderer.render(self._data, name) for name in names}

    def intrinsics(self, camera: str) -> np.ndarray:
        """(3, 3) pinhole matrix of `camera` in pixels; the images have no distortion."""
        spec = next((spec for spec in self.contract.cameras if spec.name == camera), None)
        if spec is None:
            raise SimulationError(f"unknown camera {camera!r}; the contract has {list(self.contract.camera_names)}")
        focal = 0.5 * spec.height / np.tan(0.5 * np.radians(self._model.camera(camera).fovy[0]))
        return np.array([[focal, 0.0, spec.width / 2], [0.0, focal, spec.height / 2], [0.0, 0.0, 1.0]])

    def shot(self, camera: str) -> Shot:
        """What `camera` shows, where that is a belt, and from where it looks.

        Belts are told by a colour that nothing else has, in the same pass: a second one for labels costs as much again.
        """
        there, colours = self._data.cam(camera), self._model.geom_rgba
        own = colours[self._belts].copy()
        colours[self._belts, :3] = BELT_MARK
        image = self._renderer.render(self._data, camera)
        colours[self._belts] = own
        red, green, blue = cv2.split(image)
        belt = (red > 20) & (green < 5) & (cv2.absdiff(red, blue) <= 2)
        if belt.any():
            shades = np.clip(np.arange(256)[:, None] / BELT_MARK[0] * own[0, :3], 0, 255).astype(np.uint8)
            cv2.copyTo(cv2.LUT(cv2.merge((red, red, red)), shades[None]), belt.view(np.uint8), image)
        return Shot(image, belt, there.xpos.copy(), there.xmat.reshape(3, 3).copy(), self.intrinsics(camera))

    @property
    def belt_height(self) -> float:
        """Height of the surfaces that carry objects along, m; 0 where there are none."""
        tops = self._data.geom_xpos[self._belts, 2] + self._model.geom_size[self._belts, 2]
        return float(tops.max()) if len(tops) else 0.0

    def get_state(self) -> RobotState:
        """A snapshot that later steps do not change; it can be pickled and set on another robot of the same config."""
        task = self.task.get_state()
        return RobotState(self._physics(), task, self._step, self.seed, self.limit_hits, self._diverged)

    def set_state(self, state: RobotState) -> None:
        """Restore a snapshot of `get_state`; the same actions then give identical joints and bricks."""
        self._step, self.seed, self.limit_hits = state.step, state.seed, state.limit_hits
        self._diverged = state.diverged
        self.task.set_state(state.task)
        mujoco.mj_setState(self._model, self._data, state.physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        self._forward()

    def close(self) -> None:
        """Free the OpenGL contexts."""
        self._renderer.close()

    def _advance(self) -> tuple[RubricEventRecord, ...]:
        """One control period of physics and rubric."""
        before, warned = self._physics(), self._divergences()
        mujoco.mj_step(self._model, self._data, nstep=self._substeps)
        self._diverged = self._divergences() > warned
        if self._diverged:
            mujoco.mj_setState(self._model, self._data, before, mujoco.mjtState.mjSTATE_INTEGRATION)
        self._forward()
        self._step += 1
        if self._diverged:
            return (RubricEventRecord(round(self.time * 1e9), "failed", DIVERGED, 0.0, self.score),)
        return self.task.after_step(self.time)

    def _divergences(self) -> int:
        """How often positions, velocities or accelerations were not finite, or huge."""
        return int(self._data.warning.number[DIVERGENCES].sum())

    def _forward(self) -> None:
        """Derived quantities (poses, contacts) of the current state, which itself, with its warm start, is kept."""
        physics = self._physics()
        mujoco.mj_forward(self._model, self._data)
        mujoco.mj_setState(self._model, self._data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)

    def _physics(self) -> np.ndarray:
        spec = mujoco.mjtState.mjSTATE_INTEGRATION
        physics = np.empty(mujoco.mj_stateSize(self._model, spec))
        mujoco.mj_getState(self._model, self._data, physics, spec)
        return physics

    def _index_joints(self) -> None:
        fingers = {f"{arm}_gripper": (f"{arm}_finger_a", f"{arm}_finger_b") for arm in ARMS}
        names = [fingers.get(name, (name, name)) for name in self.contract.joint_names]
        self._qpos = np.array([[self._model.joint(n).qposadr[0] for n in pair] for pair in names])  # (A, 2)
        self._qvel = np.array([[self._model.joint(n).dofadr[0] for n in pair] for pair in names])  # (A, 2)
        self._scale = np.array([1.0 if name in fingers else 0.5 for name in self.contract.joint_names])
        self._revolute = self._scale == 0.5

    def _gather(self, values: np.ndarray, index: np.ndarray) -> np.ndarray:
        """(A,) one value per joint, and for a gripper the sum over its two fingers."""
        return values[index].sum(axis=1) * self._scale

    def _write_joints(self, positions: np.ndarray) -> None:
        self._data.qpos[self._qpos] = (positions * np.where(self._revolute, 1.0, 0.5))[:, None]
        self._data.ctrl[:] = positions
