"""Scripted experts that use both arms: one move after the other, each planned from the simulator's state at its start.

A move leads the tool of one arm or of both along straight lines between waypoints. Which move comes next is decided by
the expert of a task (`decide`), from what has come of the last one: a grasp that missed is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rise_robot.core.errors import SimulationError
from rise_robot.sim.cell import ARMS, HOME
from rise_robot.sim.corruption import Mishap
from rise_robot.sim.ik import solve_ik, working_seed
from rise_robot.sim.motion import JointReference, smooth_noise
from rise_robot.sim.robot import SimulatedRobot

OPEN = 0.07  # m of opening
GRIPPER_SPEED = 0.2  # m/s of opening
TILT = 0.4  # rad, tool outwards: joint 5 ends at 70 deg, so a vertical tool is out of reach
TOLERANCE = 0.010  # m, between tool and the end of a track at which a move is over
PATIENCE = 0.6  # s, for which a move waits beyond its time for the tools to arrive
PINCHED = 0.004  # m, by which fingers stay more open than commanded when something is between them
CLEAR_Z = 0.26  # m, tool height above everything that stands in the cell
LET_GO, CLEAR = "take_over_let_go", "take_over_clear"
"""Names of the moves with which the expert begins in the middle of an episode."""


@dataclass(frozen=True)
class Waypoint:
    """Where a tool should be: position (3,) m and yaw (rad) in the world; tilt (rad) forwards from pointing down."""

    position: tuple[float, float, float]
    yaw: float = 0.0
    tilt: float = TILT


@dataclass(frozen=True)
class Track:
    """The way of one tool: `points` at `times` (s since the move began), with a gripper opening (m)."""

    times: tuple[float, ...]
    points: tuple[Waypoint, ...]
    opening: float

    def at(self, time: float) -> Waypoint:
        """Between the two neighbouring waypoints."""
        rows = np.array([(*p.position, p.yaw, p.tilt) for p in self.points])
        x, y, z, yaw, tilt = (float(np.interp(time, self.times, column)) for column in rows.T)
        return Waypoint((x, y, z), yaw, tilt)


@dataclass(frozen=True)
class Move:
    """What both arms do until the next decision; an arm without a track holds, one with None goes home."""

    name: str
    tracks: Mapping[str, Track | None] = field(default_factory=dict)
    dwell: float = 0.0  # s to stay at the end

    @property
    def duration(self) -> float:
        return self.dwell + max((track.times[-1] for track in self.tracks.values() if track is not None), default=0.0)


@dataclass(frozen=True)
class ArmState:
    """Commanded joints, opening (m), and the waypoint that is held; None after going home."""

    reference: JointReference
    opening: float
    held: Waypoint | None = None


def tool_rotation(tilt: float, yaw: float) -> np.ndarray:
    """(3, 3): the tool points down, tilted forwards by `tilt`, all turned by `yaw`; fingers open sideways."""
    z = np.array([np.sin(tilt), 0.0, -np.cos(tilt)])
    y = np.array([0.0, 1.0, 0.0])
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return turn @ np.stack([np.cross(y, z), y, z], axis=1)


class ScriptedExpert:
    """Carries out the moves that `decide` chooses; a task's expert derives from it.

    Args:
        robot: the simulated robot whose state is read.
        rng: decides mishaps and noise.
        mishap: what goes wrong; None for clean demonstrations.

    Attributes:
        clean_action: (A,) the last action before noise: the label for imitation.
        move: the running one.
    """

    task = ""
    """Name of the task that the expert knows."""

    def __init__(
        self, robot: SimulatedRobot, rng: np.random.Generator | None = None, mishap: Mishap | None = None
    ) -> None:
        if robot.task.name != self.task:
            raise SimulationError(f"this expert knows {self.task}, but the robot runs {robot.task.name}")
        self.robot = robot
        self.rng = rng or np.random.default_rng(0)
        self.mishap = mishap or Mishap()
        self._lower, self._upper = robot.contract.joint_array("lower"), robot.contract.joint_array("upper")
        self.reset()

    def decide(self, last: str) -> Move:
        """The next move after the one called `last` ("" at the beginning), from the robot's current state."""
        raise NotImplementedError

    def keeps_hold(self, arm: str) -> bool:
        """Whether `arm` holds what the task goes on with, so that a take-over leaves it where it is."""
        return False

    def reset(self) -> None:
        """Start anew from the robot's current state, whatever it is; in mid-episode both hands first get clear."""
        self._noise = np.zeros(self.robot.contract.action_dim)
        self.clean_action = self.robot.command
        self._arms = {arm: self._present(arm) for arm in ARMS}
        self.move, self._since = Move(""), self.robot.time
        self.move = self._let_go() if self.robot.control_step else self.decide("")

    def action(self) -> np.ndarray:
        """(A,) the next command: rad, grippers in m; noise of the mishap included."""
        if self._is_over():
            self.move, self._since = self._following(self.move.name), self.robot.time
        self._arms = {arm: self._advance(arm, state) for arm, state in self._arms.items()}
        command = [np.append(state.reference.position, state.opening) for state in self._arms.values()]
        self.clean_action = np.clip(np.concatenate(command), self._lower, self._upper)
        self._noise = smooth_noise(self._noise, self.mishap.joint_noise, self._upper, self.rng)
        return np.clip(self.clean_action + self._noise, self._lower, self._upper)

    def get_state(self) -> dict[str, Any]:
        """Everything the expert remembers; later actions do not change it."""
        return {
            "arms": dict(self._arms),
            "move": self.move,
            "since": self._since,
            "rng": self.rng.bit_generator.state,
            "noise": self._noise,
            "clean_action": self.clean_action,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore `get_state`; with the robot's state restored as well, the same actions follow."""
        self._arms, self.move, self._since = dict(state["arms"]), state["move"], state["since"]
        self.rng.bit_generator.state = state["rng"]
        self._noise, self.clean_action = state["noise"], state["clean_action"]

    def goes_wrong(self, failure: str) -> bool:
        """Draw whether the attempt that begins now is spoilt by `failure`."""
        chance = self.rng.uniform()
        return self.mishap.failure == failure and bool(chance < self.mishap.probability)

    def missed_by(self, failure: str) -> np.ndarray:
        """(2,) m along x and y, by which the grasp that begins now misses because of `failure`."""
        wrong, angle = self.goes_wrong(failure), self.rng.uniform(0.0, 2.0 * np.pi)
        return wrong * self.mishap.miss * np.array([np.cos(angle), np.sin(angle)])

    def track(
        self, arm: str, points: Sequence[Waypoint], *, speed: float = 0.25, opening: float = OPEN, lead_in: bool = True
    ) -> Track:
        """The track through `points` at `speed` (m/s), from where the tool of `arm` is now unless not `lead_in`."""
        present = self._arms[arm].held
        if lead_in:
            start = Waypoint(tuple(self.robot.tool_position(arm)), points[0].yaw, points[0].tilt)
            points = (present or start, *points)
        ways = np.array([p.position for p in points])
        turns = np.array([(p.yaw, p.tilt) for p in points])
        lengths = np.linalg.norm(np.diff(ways, axis=0), axis=1) / speed
        lengths = np.maximum(lengths, np.abs(np.diff(turns, axis=0)).max(axis=1) / 1.5)  # rad/s
        times = np.concatenate([[0.0], np.cumsum(np.maximum(lengths, 1e-3))])
        return Track(tuple(float(t) for t in times), tuple(points), opening)

    def grip(self, arm: str, opening: float) -> Track:
        """Stay where the tool was told to be and change the opening to (m); give the move a dwell."""
        held = self._arms[arm].held
        if held is None:
            held = Waypoint(tuple(self.robot.tool_position(arm)))
        return Track((0.0,), (held,), opening)

    def _following(self, last: str) -> Move:
        return self._clear() if last == LET_GO else self.decide("" if last == CLEAR else last)

    def _let_go(self) -> Move:
        """Both hands stay; one that has something between its fingers opens, unless it `keeps_hold`."""
        tracks: dict[str, Track | None] = {}
        opens = False
        for n, arm in enumerate(ARMS):
            opening, width = float(self.robot.command[7 * n + 6]), float(self.robot.joint_positions[7 * n + 6])
            pinches = width > opening + PINCHED and not self.keeps_hold(arm)
            opens = opens or pinches
            tracks[arm] = None if self._is_home(n) else self.grip(arm, OPEN if pinches else opening)
        return Move(LET_GO, tracks, dwell=0.35 if opens else 0.0)

    def _clear(self) -> Move:
        """Those hands that hold nothing go straight up."""
        tracks = dict(self.move.tracks)
        for arm, track in self.move.tracks.items():
            if track is not None and not self.keeps_hold(arm):
                x, y, z = self.robot.tool_position(arm)
                tracks[arm] = self.track(arm, [Waypoint((x, y, max(z, CLEAR_Z)))], opening=track.opening)
        return Move(CLEAR, tracks)

    def _is_home(self, n: int) -> bool:
        """Whether arm `n` is folded as at the start."""
        return bool(np.abs(self.robot.command[7 * n : 7 * n + 6] - HOME[:6]).max() < 0.15)

    def _present(self, arm: str) -> ArmState:
        mine = slice(7 * ARMS.index(arm), 7 * ARMS.index(arm) + 6)
        reference = JointReference(self.robot.command[mine], self.robot.joint_velocities[mine])
        return ArmState(reference, float(self.robot.command[mine.stop]))

    def _is_over(self) -> bool:
        elapsed = self.robot.time - self._since
        if elapsed < self.move.duration:
            return False
        late = elapsed >= self.move.duration + PATIENCE
        return late or all(self._has_arrived(arm, track) for arm, track in self.move.tracks.items())

    def _has_arrived(self, arm: str, track: Track | None) -> bool:
        if track is None:
            return True
        return bool(np.linalg.norm(self.robot.tool_position(arm) - track.points[-1].position) < TOLERANCE)

    def _advance(self, arm: str, state: ArmState) -> ArmState:
        """One period towards where the running move wants the arm."""
        dt = self.robot.contract.control_period_s
        target, opening = self._target(arm, state)
        joints = HOME[:6] if target is None else self._solve(arm, target, state.reference.position)
        step = GRIPPER_SPEED * dt
        return replace(
            state,
            reference=state.reference.towards(joints, dt),
            opening=state.opening + float(np.clip(opening - state.opening, -step, step)),
            held=target,
        )

    def _target(self, arm: str, state: ArmState) -> tuple[Waypoint | None, float]:
        if arm not in self.move.tracks:
            return state.held, state.opening
        track = self.move.tracks[arm]
        if track is None:
            return None, OPEN
        return track.at(self.robot.time - self._since), track.opening

    def _solve(self, arm: str, target: Waypoint, reference: np.ndarray) -> np.ndarray:
        n = 7 * ARMS.index(arm)
        return solve_ik(
            self.robot.kinematics,
            np.array(target.position) - self.robot.arm_base(arm),
            tool_rotation(target.tilt, target.yaw),
            working_seed(reference),
            self._lower[n : n + 6],
            self._upper[n : n + 6],
        )
