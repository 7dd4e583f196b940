"""Scripted expert for Dynamic Brick Sorting, with deliberate failures.

Every action follows from the current simulator state and a small phase per arm, so the expert can take over in the
middle of an episode (it carries on with a brick that is already held) and recover from disturbances.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from rise_robot.core.errors import SimulationError
from rise_robot.sim.brick_cell import BrickInfo
from rise_robot.sim.cell import ARM_SIDE, ARMS, HOME
from rise_robot.sim.corruption import Attempt, Corruption, draw_attempt
from rise_robot.sim.ik import solve_ik, working_seed
from rise_robot.sim.motion import JointReference, smooth_noise
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.scene import BELT_TOP, BIN_CENTRES, LANE_Y

Phase = Literal["idle", "reach", "close", "lift", "carry", "release", "retreat"]

TILT = 0.4  # rad, tool outwards: joint 5 ends at 70 deg, so a vertical tool is out of reach
GRASP_Z = BELT_TOP + 0.022  # m, tool height when the fingers close
HOVER_Z, CARRY_Z, RELEASE_Z = 0.125, 0.115, 0.085  # m
OPEN, CLOSED = 0.07, 0.02  # m of opening; a brick is 0.04 wide, so CLOSED squeezes it with 16 N
GRIPPER_SPEED = 0.2  # m/s of opening
LEAD = 0.10  # s, the lag of command and servo, by which a moving brick is led
PICK_X = (0.26, 0.47)  # m, the reach along the belt


@dataclass(frozen=True)
class ArmPlan:
    """Memory of one arm; immutable, so that saving it is keeping a reference."""

    phase: Phase
    since: float  # s of simulated time at which the phase began
    reference: JointReference
    anchor: np.ndarray  # (3,) m, tool target at the start of the phase
    attempt: Attempt | None = None
    opening: float = OPEN  # commanded, m


def tool_rotation() -> np.ndarray:
    """(3, 3): the tool points down, tilted outwards by TILT; the fingers open along world y."""
    z = np.array([np.sin(TILT), 0.0, -np.cos(TILT)])
    y = np.array([0.0, 1.0, 0.0])
    return np.stack([np.cross(y, z), y, z], axis=1)


class BrickSortingExpert:
    """Sorts bricks with both arms, each taking the bricks of its own lane.

    Args:
        robot: the simulated robot whose state is read; it must run brick_sorting.
        rng: decides corruptions and noise.
        corruption: None for clean demonstrations.

    Attributes:
        clean_action: (A,) the last action before noise: the label for imitation.
    """

    def __init__(
        self, robot: SimulatedRobot, rng: np.random.Generator | None = None, corruption: Corruption | None = None
    ) -> None:
        if robot.task.name != "brick_sorting":
            raise SimulationError(f"this expert sorts bricks, but the robot runs {robot.task.name}")
        self.robot = robot
        self.rng = rng or np.random.default_rng(0)
        self.corruption = corruption or Corruption()
        self._rotation = tool_rotation()
        self._lower, self._upper = robot.contract.joint_array("lower"), robot.contract.joint_array("upper")
        self.reset()

    def reset(self) -> None:
        """Start anew from the robot's current state, whatever it is."""
        self._noise = np.zeros(self.robot.contract.action_dim)
        self.clean_action = self.robot.command
        self._plans = {arm: self._fresh_plan(arm) for arm in ARMS}

    def action(self) -> np.ndarray:
        """(A,) the next command: rad, grippers in m; noise of the corruption included."""
        bricks = self.robot.task.bricks
        command = []
        for arm in ARMS:
            self._plans[arm] = plan = self._advance(arm, self._plans[arm], bricks)
            command.append(np.append(plan.reference.position, plan.opening))
        self.clean_action = np.clip(np.concatenate(command), self._lower, self._upper)
        self._noise = smooth_noise(self._noise, self.corruption.joint_noise, self._upper, self.rng)
        return np.clip(self.clean_action + self._noise, self._lower, self._upper)

    def phases(self) -> dict[str, Phase]:
        """What each arm is doing."""
        return {arm: plan.phase for arm, plan in self._plans.items()}

    def get_state(self) -> dict[str, Any]:
        """Everything the expert remembers; later actions do not change it."""
        return {
            "plans": dict(self._plans),
            "rng": self.rng.bit_generator.state,
            "noise": self._noise,
            "clean_action": self.clean_action,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore `get_state`; with the robot's state restored as well, the same actions follow."""
        self._plans = dict(state["plans"])
        self.rng.bit_generator.state = state["rng"]
        self._noise, self.clean_action = state["noise"], state["clean_action"]

    def _fresh_plan(self, arm: str) -> ArmPlan:
        mine = slice(7 * ARMS.index(arm), 7 * ARMS.index(arm) + 6)
        reference = JointReference(self.robot.command[mine], self.robot.joint_velocities[mine])
        tool = self.robot.tool_position(arm)
        plan = ArmPlan("idle", self.robot.time, reference, tool, opening=float(self.robot.command[mine.stop]))
        for i, brick in enumerate(self.robot.task.bricks):
            if brick.record.held_by == arm:
                return replace(plan, phase="lift", attempt=self._attempt(i, brick), opening=CLOSED)
        return plan

    def _advance(self, arm: str, plan: ArmPlan, bricks: list[BrickInfo]) -> ArmPlan:
        """Change phase if the state says so, then move the reference one period towards the phase's target."""
        plan = self._next_phase(arm, plan, bricks)
        target = self._target(arm, plan, bricks)
        base, n = self.robot.arm_base(arm), ARMS.index(arm)
        if target is None:
            joints = HOME[:6]
        else:
            joints = solve_ik(
                self.robot.kinematics,
                target - base,
                self._rotation,
                working_seed(plan.reference.position),
                self._lower[7 * n : 7 * n + 6],
                self._upper[7 * n : 7 * n + 6],
            )
        closed = plan.phase in ("close", "lift", "carry") and plan.attempt is not None and plan.attempt.closes
        reference = plan.reference.towards(joints, self.robot.contract.control_period_s)
        step = GRIPPER_SPEED * self.robot.contract.control_period_s
        opening = plan.opening + float(np.clip((CLOSED if closed else OPEN) - plan.opening, -step, step))
        return replace(plan, reference=reference, opening=opening)

    def _next_phase(self, arm: str, plan: ArmPlan, bricks: list[BrickInfo]) -> ArmPlan:
        tool = self.robot.tool_position(arm)
        elapsed = self.robot.time - plan.since
        attempt = plan.attempt
        if attempt is None:
            chosen = self._choose(arm, bricks)
            return plan if chosen is None else self._enter(plan, "reach", tool, self._attempt(chosen, bricks[chosen]))
        brick = bricks[attempt.brick]
        held = brick.record.held_by == arm
        if plan.phase == "reach":
            if brick.record.fate or brick.view.position[0] < PICK_X[0] - 0.02 or not brick.view.on_belt:
                return self._enter(plan, "idle", tool, None)
            error = np.abs(tool - self._grasp_point(brick, attempt, lead=0.0))
            if error[0] < 0.014 and error[1] < 0.009 and error[2] < 0.008:
                return self._enter(plan, "close", tool, attempt)
        elif plan.phase == "close" and elapsed >= 0.35:
            if held or attempt.blind:
                return self._enter(plan, "lift", tool, attempt)
            if elapsed >= 0.55:
                return self._enter(plan, "idle", tool, None)
        elif plan.phase in ("lift", "carry") and not held and not attempt.blind:
            return self._enter(plan, "retreat", tool, attempt)
        elif plan.phase == "lift" and tool[2] > GRASP_Z + 0.030:
            return self._enter(plan, "carry", tool, attempt)
        elif plan.phase == "carry":
            goal = self._bin_point(arm, attempt, RELEASE_Z)
            error = np.abs(tool - goal)
            left, whole = float(np.linalg.norm(error[:2])), float(np.linalg.norm((goal - plan.anchor)[:2]))
            if (max(error[:2]) < 0.012 and error[2] < 0.010) or 1.0 - left / max(whole, 0.02) >= attempt.drop_at:
                return self._enter(plan, "release", tool, attempt)
        elif plan.phase == "release" and elapsed >= 0.25:
            return self._enter(plan, "retreat", tool, attempt)
        elif plan.phase == "retreat" and (tool[2] > 0.10 or elapsed > 1.0):
            return self._enter(plan, "idle", tool, None)
        return plan

    def _target(self, arm: str, plan: ArmPlan, bricks: list[BrickInfo]) -> np.ndarray | None:
        """(3,) m, where the tool should be; None for home."""
        attempt, anchor = plan.attempt, plan.anchor
        if attempt is None or plan.phase == "idle":
            return None
        brick = bricks[attempt.brick]
        if plan.phase == "reach":
            return self._reach_target(arm, brick, attempt)
        if plan.phase == "close":
            elapsed = self.robot.time - plan.since + LEAD
            return np.array([anchor[0] - self.robot.task.setup.belt_speed * elapsed, anchor[1], GRASP_Z])
        if plan.phase == "lift":
            return np.array([anchor[0], anchor[1], CARRY_Z])
        if plan.phase == "retreat":
            return np.array([anchor[0], anchor[1], HOVER_Z])
        if plan.phase == "release":
            return anchor
        away = np.linalg.norm((self.robot.tool_position(arm) - self._bin_point(arm, attempt, 0.0))[:2])
        height = RELEASE_Z + np.clip((away - 0.012) * 1.5, 0.0, CARRY_Z - RELEASE_Z)
        return self._bin_point(arm, attempt, height)

    def _reach_target(self, arm: str, brick: BrickInfo, attempt: Attempt) -> np.ndarray:
        """Above the brick and moving with it; lower, the better the tool is aligned."""
        goal = self._grasp_point(brick, attempt, LEAD)
        goal[0] = min(goal[0], PICK_X[1])
        tool = self.robot.tool_position(arm)
        error = np.linalg.norm(tool[:2] - self._grasp_point(brick, attempt, 0.0)[:2])
        goal[2] += np.clip((error - 0.010) * 4.0, 0.0, HOVER_Z - GRASP_Z)
        return goal

    def _grasp_point(self, brick: BrickInfo, attempt: Attempt, lead: float) -> np.ndarray:
        x, y = brick.view.position[:2] + np.array(attempt.offset)
        return np.array([x - self.robot.task.setup.belt_speed * lead, y, GRASP_Z])

    @staticmethod
    def _bin_point(arm: str, attempt: Attempt, height: float) -> np.ndarray:
        return np.array([*BIN_CENTRES[arm, attempt.colour], height])

    def _choose(self, arm: str, bricks: list[BrickInfo]) -> int | None:
        """The brick of this arm's lane that is nearest to the end of the belt and can still be reached."""
        candidates = [
            (brick.view.position[0], i)
            for i, brick in enumerate(bricks)
            if brick.record.entered
            and not brick.record.fate
            and not brick.record.held_by
            and brick.view.on_belt
            and brick.view.position[1] * ARM_SIDE[arm] > 0.0
            and abs(abs(brick.view.position[1]) - LANE_Y) < 0.04
            and brick.view.position[0] - 0.5 * self.robot.task.setup.belt_speed > PICK_X[0]
        ]
        return min(candidates)[1] if candidates else None

    def _attempt(self, i: int, brick: BrickInfo) -> Attempt:
        return draw_attempt(i, brick.record.spec.colour, self.corruption, self.rng)

    def _enter(self, plan: ArmPlan, phase: Phase, tool: np.ndarray, attempt: Attempt | None) -> ArmPlan:
        return replace(plan, phase=phase, since=self.robot.time, anchor=tool, attempt=attempt)
