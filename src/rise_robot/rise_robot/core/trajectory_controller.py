"""The control loop: chunks or trajectories in, one ensembled and limited command out per period. No ROS, no clock.

Callers feed inputs as they arrive and call `update(now_ns)` once per control period. Whatever is missing, the answer
is a command that brakes and stays; only before the first joint feedback there is none.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

import numpy as np

from rise_robot.core.chunk import Chunk, Trajectory
from rise_robot.core.clearance import Admission, ClearanceGuard
from rise_robot.core.contract import Contract
from rise_robot.core.ensembler import ChunkEnsembler, Merge, Seam
from rise_robot.core.errors import ChunkRefusedError, CommandError
from rise_robot.core.feedback import FeedbackMonitor
from rise_robot.core.limits import CommandLimiter, LimitCounts
from rise_robot.core.plan_buffer import StepGrid
from rise_robot.core.stream_watch import StreamWatch, staleness
from rise_robot.core.supervisor import TRAJECTORY_MODES, Mode, Supervisor


@dataclass(frozen=True)
class ControllerConfig:
    """Attributes of the control loop that are not part of the contract.

    Attributes:
        stop_after_s: missing input for this long withdraws authority (controlled stop).
        following_tolerance: rad; measured and commanded joints further apart than this are not following.
        following_periods: for this many periods in a row before it counts.
        following_delay_s: s by which the robot gets its commands later; any command since then counts as the present.
        jump_tolerance: rad beyond what max_velocity allows between two feedback messages; more is a jump.
        resume_after_jump: keep authority after a feedback jump, as when a simulated robot is reset. On a real robot a
            jump is a sensor fault: the emergency stop latches, and no command follows what the sensor says.
        watch_cameras: a policy commands only while every camera of the contract delivers; people see for themselves.
        blend_steps: control steps after which a new chunk has replaced the plan; 0: where their overlap ends.
    """

    stop_after_s: float = 1.0
    following_tolerance: float = 0.4
    following_periods: int = 10
    following_delay_s: float = 0.0
    jump_tolerance: float = 0.2
    resume_after_jump: bool = False
    watch_cameras: bool = False
    blend_steps: int = 0


@dataclass(frozen=True)
class ControlOutput:
    """What one control period decided.

    Attributes:
        command: (A,) rad; gripper in m; None only before the first joint feedback.
        mode: who commands.
        reason: why.
        chunk_age_s: since the observation of the newest accepted chunk; NaN where there is none.
        restarted: the command does not continue the last one, but begins at the measured joints.
    """

    command: np.ndarray | None
    mode: Mode
    reason: str
    chunk_age_s: float
    restarted: bool = False


class TrajectoryController:
    """One robot's control loop; see the module's docstring.

    Args:
        contract: joints, limits, control rate and staleness bounds.
        config: tolerances and time-outs.
        initial: who has authority after construction.
        guard: keeps the arms inside their workspace and apart; None: the contract's limits alone.
    """

    def __init__(
        self,
        contract: Contract,
        config: ControllerConfig | None = None,
        initial: Mode = Mode.HOLD,
        guard: ClearanceGuard | None = None,
    ) -> None:
        self.contract, self.config = contract, config or ControllerConfig()
        self.supervisor = Supervisor(self.config.stop_after_s, initial)
        self.refused: Counter[str] = Counter()
        self.holds: Counter[str] = Counter()  # by cause: joint_feedback, camera, chunk, clearance
        self.cameras = StreamWatch({f"camera {camera.name}": camera.max_age_s for camera in contract.cameras})
        self.resyncs = 0
        self.seams: deque[Seam] = deque(maxlen=64)  # of the newest chunks
        self._limiter, self._guard = CommandLimiter(contract), guard
        self._ensembler = ChunkEnsembler(contract.action_dim, self.config.blend_steps)
        self._feedback = FeedbackMonitor(contract, self.config.jump_tolerance)
        self._grid: StepGrid | None = None
        self._last_step = -1
        self._newest_chunk_ns: int | None = None
        self._not_before_ns: int | None = None
        self._waiting = True
        self._holding_for = ""
        self._off_course, self._strayed, self._blocked = 0, 0, 0
        delay = self.config.following_delay_s / contract.control_period_s
        self._recent: deque[np.ndarray] = deque(maxlen=1 + int(np.ceil(delay)))  # commands that may be under way
        self._restarted = False
        self._goal = np.zeros(contract.action_dim)
        self._admission = Admission(np.ones(contract.action_dim, bool))

    @property
    def limit_counts(self) -> LimitCounts:
        """Commands changed by limits since construction."""
        return self._limiter.counts

    def feed_joints(self, stamp_ns: int, positions: np.ndarray) -> None:
        """Take joint feedback (A,) in contract order. Raises CommandError, counted, when it is malformed or older."""
        try:
            jumped = self._feedback.feed(stamp_ns, positions)
        except CommandError:
            self.refused["joint_feedback"] += 1
            raise
        if jumped and self._grid is not None:
            self._distrust(stamp_ns, f"joint feedback jumped: {jumped}")

    def feed_camera(self, name: str, stamp_ns: int) -> None:
        """A picture of camera `name` was taken."""
        self.cameras.feed(f"camera {name}", stamp_ns)

    def feed_chunk(self, chunk: Chunk, now_ns: int) -> Merge:
        """Merge a policy's chunk into the plan.

        Raises:
            ChunkRefusedError: not executed, the plan is unchanged; the caller tells `count_refusal`.
        """
        grid = self._require(Mode.POLICY, chunk.stamp_ns, now_ns)
        next_step = max(self._last_step + 1, grid.current(now_ns))
        merge = self._ensembler.add(grid.nearest(chunk.stamp_ns), chunk.actions, next_step)
        self._newest_chunk_ns = chunk.stamp_ns
        if merge.seam is not None:
            self.seams.append(merge.seam)
        return merge

    def feed_trajectory(self, trajectory: Trajectory, now_ns: int) -> None:
        """Start a demonstrator's or person's trajectory from the present command; it replaces the one before.

        Raises:
            ChunkRefusedError: not executed, the plan is unchanged; the caller tells `count_refusal`.
        """
        grid = self._require(None, trajectory.stamp_ns or now_ns, now_ns)
        next_step = max(self._last_step + 1, grid.current(now_ns))
        self._ensembler.replace(next_step, trajectory.sample(grid, next_step, self._limiter.position))

    def count_refusal(self, error: CommandError) -> None:
        """Count a chunk or trajectory that was refused, here or when it was parsed, by its reason."""
        self.refused[error.reason if isinstance(error, ChunkRefusedError) else "malformed"] += 1

    def request(self, mode: Mode, reason: str, now_ns: int) -> None:
        """Hand authority over without a jump: the old plan is forgotten, the next one starts at the present command.

        Chunks that answer an observation from before the handover are refused. Raises ModeError in a latched stop.
        """
        before = self.supervisor.authority
        self.supervisor.request(mode, reason)
        self._strayed = 0
        if mode is not before:
            self._forget_plan(now_ns)

    def clear_emergency_stop(self, reason: str, now_ns: int) -> None:
        """Leave a latched emergency stop towards HOLD; commands restart at the measured position."""
        self.supervisor.clear_emergency_stop(reason)
        self._strayed = 0
        self._resync(now_ns)

    def update(self, now_ns: int) -> ControlOutput:
        """Decide the command of the period that is due at `now_ns`."""
        if not self._feedback.known:
            return self._output(None, now_ns, waiting="no joint feedback yet")
        if self._grid is None:
            self._grid = StepGrid(now_ns, 1e9 / self.contract.control_rate_hz)
            self._restart()
        self._last_step = step = max(self._grid.current(now_ns), self._last_step)
        self._check_following(now_ns)
        planned = self._ensembler.action(step)
        if planned is not None:  # what begins only later, or was over before its time, leaves the robot waiting
            self._goal, self._waiting = planned, False  # a finished trajectory is held at its last point
        self._admission = self._admit()
        self._blocked = self._blocked + 1 if self._admission.reason else 0
        self.supervisor.report(now_ns, self._fault(now_ns, planned))
        idle = self._waiting or self.supervisor.commanding in (Mode.HOLD, Mode.ESTOP)
        command = self._limiter.stop() if idle else self._limiter.follow(self._goal, self._admission.moving)
        self._recent.append(command)
        return self._output(command, now_ns)

    def _admit(self) -> Admission:
        """Which joints may follow the goal now."""
        if self._guard is None or self._waiting or self.supervisor.authority in (Mode.HOLD, Mode.ESTOP):
            return Admission(np.ones(self.contract.action_dim, bool))
        return self._guard.admit(self._limiter.position, lambda moving: self._limiter.preview(self._goal, moving))

    def _fault(self, now_ns: int, planned: np.ndarray | None) -> str:
        """What is wrong with the inputs of the authority; each hold is counted once, by cause."""
        authority, blocked = self.supervisor.authority, self._admission.reason
        cause, fault = "", ""
        if authority in (Mode.HOLD, Mode.ESTOP):
            pass
        elif stale := self._stale_feedback(now_ns):
            cause, fault = "joint_feedback", stale
        elif authority is Mode.POLICY and not self._waiting and (lost := self._lost_input(now_ns, planned)):
            cause, fault = lost
        elif blocked:
            cause, fault = "clearance", blocked if self._is_stuck() else ""
        if cause and cause != self._holding_for:
            self.holds[cause] += 1
        self._holding_for = cause
        return fault

    def _is_stuck(self) -> bool:
        """No arm may move, or one for long may not. A person sees it and moves elsewhere; nobody else knows how."""
        long = self._blocked * self.contract.control_period_s >= self.config.stop_after_s
        return self.supervisor.authority is not Mode.HUMAN and (long or not self._admission.moving.any())

    def _lost_input(self, now_ns: int, planned: np.ndarray | None) -> tuple[str, str] | None:
        """Cause and words of what a policy lacks that has commanded before."""
        if self.config.watch_cameras and (lost := self.cameras.fault(now_ns)):
            return "camera", lost
        return ("chunk", "no chunk in time") if planned is None else None

    def _stale_feedback(self, now_ns: int) -> str:
        return staleness("joint feedback", self._feedback.age_s(now_ns), self.contract.joint_state_max_age_s)

    def _check_following(self, now_ns: int) -> None:
        revolute = np.array([joint.unit == "rad" for joint in self.contract.joints])
        error = np.abs(self._feedback.positions - np.array(self._recent)).min(axis=0)
        off = bool((error[revolute] > self.config.following_tolerance).any()) and not self._stale_feedback(now_ns)
        self._off_course = self._off_course + 1 if off and self.supervisor.authority is not Mode.ESTOP else 0
        if self._off_course >= self.config.following_periods:
            self._stray(now_ns, "joints do not follow their commands")

    def _stray(self, now_ns: int, reason: str) -> None:
        """Let the arms stay where they are measured. If they are elsewhere again, the measurement cannot be true, and
        following it would run away: emergency stop."""
        self._strayed += 1
        if self._strayed > 1 and not self.config.resume_after_jump:
            self._distrust(now_ns, f"{reason}, nor their own position")
            return
        self._resync(now_ns)
        if not self.config.resume_after_jump and self.supervisor.authority is not Mode.HOLD:
            self.supervisor.request(Mode.HOLD, reason)

    def _distrust(self, now_ns: int, reason: str) -> None:
        """Feedback that cannot be true: a reset simulation starts anew from there, a real robot brakes and stays."""
        if self.config.resume_after_jump:
            self._resync(now_ns)
        else:
            self.supervisor.emergency_stop(reason)
            self._forget_plan(now_ns)

    def _resync(self, now_ns: int) -> None:
        """Restart the commands at the measured position; only inputs from now on count."""
        self.resyncs += 1
        self._off_course = 0
        self._restart()
        self._forget_plan(now_ns)

    def _restart(self) -> None:
        self._recent.clear()
        self._recent.append(self._limiter.reset(self._feedback.positions))
        self._goal, self._restarted = self._limiter.position, True

    def _forget_plan(self, now_ns: int) -> None:
        self._ensembler.reset()
        self._goal = self._limiter.position
        self._newest_chunk_ns, self._not_before_ns, self._waiting = None, now_ns, True

    def _require(self, mode: Mode | None, stamp_ns: int, now_ns: int) -> StepGrid:
        """The grid, if an input of this kind and age may be executed now; `mode` None: any trajectory mode."""
        authority = self.supervisor.authority
        if (authority not in TRAJECTORY_MODES) if mode is None else (authority is not mode):
            raise ChunkRefusedError("not_commanding", f"refused: {authority.value} has authority")
        if self._grid is None:
            raise ChunkRefusedError("no_feedback", "refused: no joint feedback yet")
        age, limit = (now_ns - stamp_ns) * 1e-9, self.contract.chunk_max_age_s
        if age < -limit:
            raise ChunkRefusedError("future", f"refused: {-age:.3f} s ahead, at most {limit:g} s: clocks apart?")
        if age > limit:
            raise ChunkRefusedError("stale", f"refused: it answers an observation {age:.3f} s old, at most {limit:g} s")
        if self._not_before_ns is not None and stamp_ns < self._not_before_ns:
            raise ChunkRefusedError("before_handover", "refused: it is older than the handover or the last jump")
        return self._grid

    def _output(self, command: np.ndarray | None, now_ns: int, waiting: str = "") -> ControlOutput:
        age = float("nan") if self._newest_chunk_ns is None else (now_ns - self._newest_chunk_ns) * 1e-9
        restarted, self._restarted = self._restarted, False
        mode, reason = self.supervisor.commanding, self.supervisor.reason
        if mode not in (Mode.HOLD, Mode.ESTOP) and (waiting or self._waiting):
            mode, reason = Mode.HOLD, f"{mode.value}: {waiting or 'waiting for input'}"
        elif mode not in (Mode.HOLD, Mode.ESTOP) and self._admission.reason:
            reason = self._admission.reason
        return ControlOutput(command, mode, waiting or reason, age, restarted)
