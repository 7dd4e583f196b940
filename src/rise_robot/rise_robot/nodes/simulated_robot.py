"""The simulated robot as a node: it executes `joint_command` and publishes what a real robot would.

Publishes: joint_states (control rate), camera/*/{image_raw,image_raw/compressed,camera_info}, contract (latched),
episode/status, episode/rubric, /diagnostics (1 Hz); with the scripted expert also
joint_trajectory_controller/joint_trajectory; without real time also /clock.
Subscribes: joint_command, control/status. Serves: episode/start, episode/end, episode/label. Calls: control/set.

In real time every period has an absolute deadline on the wall clock. Otherwise it runs as fast as it can: it publishes
/clock and waits for the command that answers the state of that instant. Either way the command that was computed from
the state of t_k moves the robot from t_k to t_k + 1/30 s, as in `rise_robot.collect`.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
import time

import numpy as np
import rclpy.node
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from rise_msgs.msg import ControlStatus
from rise_msgs.srv import EndEpisode, SetControl, StartEpisode
from rise_robot.core.episodes import EpisodeLedger, EpisodeRecord
from rise_robot.core.errors import EpisodeError
from rise_robot.core.pacing import Pacer, WallOffset, aligned_origin
from rise_robot.core.resampling import step_stamp
from rise_robot.core.rubric import RubricEventRecord
from rise_robot.core.supervisor import STOPPED
from rise_robot.nodes import conversions, qos, runtime
from rise_robot.nodes.chunk_watch import ChunkWatch
from rise_robot.nodes.command_gate import CommandGate
from rise_robot.nodes.episode_services import EpisodeServices
from rise_robot.nodes.robot_sensors import RobotSensors
from rise_robot.nodes.runtime import declare
from rise_robot.sim.experts import Expert, make_expert
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.tasks import DEFAULT_LEVEL, TaskSetting

START_NS = 10**9
"""Where /clock begins; 0 means "no time yet" in ROS."""
NOBODY = (ControlStatus.MODE_HOLD, ControlStatus.MODE_ESTOP)
COMMANDING = (ControlStatus.MODE_DEMO, ControlStatus.MODE_HUMAN, ControlStatus.MODE_POLICY)
AWAITED = f"{ControlStatus.MODE_DEMO}:"
"""How the reason begins where a demonstrator has control and has not begun."""
ANSWER_S = 0.2
"""How long the loop waits for a command when it is not bound to real time."""


class SimulatedRobotNode:
    """One simulated robot with its task; the loop in `run` owns it, callbacks only leave messages."""

    def __init__(self) -> None:
        self.node = node = rclpy.node.Node("simulated_robot")
        self.contract = runtime.declare_contract(node)
        self._declare()
        bricks = (self._bricks, self._bricks) if self._bricks else None
        config = TaskSetting.of(self._task, self._level, bricks).config
        self.robot = SimulatedRobot(self.contract, self._task, config)
        self._gate = CommandGate(node, self.contract, self._gate_tolerance)
        self._watch = ChunkWatch(node, self.contract, self._policy_periods if self._commander == "policy" else 0)
        self._sensors = RobotSensors(node, self.robot)
        ledger = EpisodeLedger(time.strftime(f"{self._task}_%Y%m%dT%H%M%S", time.gmtime()))
        self._ledger = ledger
        self._episodes = EpisodeServices(node, ledger, self._on_start, self._on_end)
        self._target = node.create_publisher(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", qos.offered_command(30.0)
        )
        self._contract_topic = node.create_publisher(String, "contract", qos.LATCHED)
        self._contract_topic.publish(String(data=self.contract.to_yaml()))
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_subscription(ControlStatus, "control/status", self._on_control, qos.LATCHED)
        self._set_control = node.create_client(SetControl, "control/set")
        if self._wait_for_recorder:
            node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.EVENT)
        node.create_timer(1.0, self._diagnose)
        self._clock = None if self._real_time else node.create_publisher(Clock, "/clock", qos.SENSOR)
        self._expert: Expert | None = None
        self._first_step, self._is_recorded = 0, False
        self._step, self._stamp, self._done, self._pause, self._next_seed = 0, 0, 0, 0, self._seed
        self._pacer: Pacer | None = None
        self._free, self._mode, self._reason, self._authority = True, "", "", ControlStatus.MODE_DEMO

    def _declare(self) -> None:
        node = self.node
        self._task: str = declare(node, "task", "brick_sorting", "Task of the simulated cell.")
        self._level: str = declare(node, "level", DEFAULT_LEVEL, "Difficulty of the task (docs/tasks.md).")
        self._bricks = declare(node, "bricks", 0, "Bricks to sort in an episode; 0: as the level says.", low=0, high=4)
        self._real_time = declare(
            node, "real_time", True, "Bound to the wall clock; else as fast as it can, on /clock."
        )
        self._commander = declare(
            node, "commander", "none", "expert: the scripted expert demonstrates; policy: episodes wait for one; none."
        )
        self._policy_periods = declare(
            node, "policy_periods", 11,
            "Control periods that the newest answered observation may lie back when not bound to real time; 0: any.",
            low=0, high=50,
        )  # fmt: skip
        self._auto = declare(
            node, "episodes", 0, "Episodes to run by itself, then the node ends; -1: for ever; 0: only when asked.",
            low=-1, high=10**6,
        )  # fmt: skip
        self._kind = declare(node, "kind", "demonstration", "Kind of those episodes: demonstration or rollout.")
        self._seed = declare(node, "seed", 0, "Seed of the first episode; the next ones count up.", low=0, high=2**31)
        self._wait_for_recorder = declare(
            node, "wait_for_recorder", False, "Begin episodes of its own only while a recorder receives every stream."
        )
        self._pause_s = declare(node, "pause_s", 1.0, "s between two episodes.", low=0.0, high=60.0)
        self._gate_tolerance = declare(
            node, "gate_tolerance", 0.45,
            "rad; after a reset, commands further than this from the joints are not executed.", low=0.0, high=6.3,
        )  # fmt: skip
        if self._commander not in ("expert", "policy", "none"):
            raise EpisodeError(f"unknown commander {self._commander!r}; known are expert, policy, none")

    def run(self, stop: threading.Event) -> None:
        self._sensors.warm_up()
        if self._real_time:
            self._run_in_real_time(stop)
        else:
            self._run_fast(stop)

    def _run_in_real_time(self, stop: threading.Event) -> None:
        period = self.contract.control_period_s
        wall = WallOffset(time.time_ns, time.monotonic_ns)
        origin = aligned_origin(period, 0.0, time.time_ns(), time.monotonic_ns())
        self._pacer = Pacer(period, time.monotonic_ns, stop.wait, origin_ns=origin)
        while self._pacer.sleep():
            self._stamp = wall.stamp(self._pacer.deadline_ns)
            if not self._period():
                return

    def _run_fast(self, stop: threading.Event) -> None:
        assert self._clock is not None
        while not stop.is_set():
            self._stamp = step_stamp(START_NS, self._step, self.contract.control_rate_hz)
            if not self._period():
                return
            self._watch.wait(self._stamp)
            self._clock.publish(Clock(clock=conversions.to_time(self._stamp)))
            self._gate.wait_for_answer(self._stamp, ANSWER_S)

    def close(self) -> None:
        if self._ledger.running is not None:
            self._end("unknown")
        self.robot.close()

    def _period(self) -> bool:
        """Move the robot up to the present instant and show it; False when all episodes are done."""
        self._advance()
        self._episodes.serve()
        if not self._begin_next():
            return False
        self._sensors.publish_joints(self._stamp)
        if self._expert is not None and self.robot.outcome == "running" and self._is_experts_turn():
            self._target.publish(conversions.target_message(self.contract, self._stamp, self._expert.action()))
        self._sensors.publish_frames(self._stamp, self._step - self._first_step)
        self._step += 1
        return True

    def _advance(self) -> None:
        """One control period of physics with the newest command."""
        if self.robot.outcome != "running":
            if self._free:
                self._reset(self.robot.seed + 1)
            return
        result = self.robot.step(self._gate.command(self.robot.joint_positions, self.robot.command))
        running = self._ledger.running
        if running is None:
            return
        for event in result.events:
            self._episodes.publish_event(_at(event, self._stamp), running.episode_id)
        if result.events:
            self._episodes.publish(self._ledger.score(self.robot.score), self._stamp)
        if result.outcome != "running":
            self._end(result.outcome)

    def _begin_next(self) -> bool:
        """Start the next episode of our own when its time has come; False when there is none left."""
        if self._auto == 0 or self._ledger.running is not None:
            return True
        if self._done == self._auto:
            return self._stay_after_last()
        self._pause -= 1
        if self._pause < 0 and self._is_attended():
            self._start(self._next_seed, self._kind, "")
            self._next_seed += 1
        return True

    def _is_experts_turn(self) -> bool:
        """Nobody has taken over: a person sends trajectories as well, and only the last one of a period counts."""
        return self._authority == ControlStatus.MODE_DEMO

    def _is_attended(self) -> bool:
        """Somebody commands, and records where that is wanted."""
        if self._commander != "none" and self._reason.startswith(STOPPED):
            self._ask_for_control()
        if self._commander == "policy" and self._mode != ControlStatus.MODE_POLICY:
            return False
        if self._commander == "expert" and self._mode in NOBODY and not self._reason.startswith(AWAITED):
            return False
        return self._gate.heard and (self._is_recorded or not self._wait_for_recorder)

    def _ask_for_control(self) -> None:
        """A controlled stop ends with the episode that it was in; a hold or stop that a person asked for does not."""
        mode = ControlStatus.MODE_DEMO if self._commander == "expert" else ControlStatus.MODE_POLICY
        if self._set_control.service_is_ready():
            self._set_control.call_async(SetControl.Request(mode=mode, reason="the next episode"))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """The recorder says "recording" at level OK once every required stream has reached it."""
        for status in message.status:
            if status.name.rpartition("/")[2] == "recorder":
                self._is_recorded = status.level == DiagnosticStatus.OK and status.message == "recording"

    def _stay_after_last(self) -> bool:
        """Long enough after the last mark for a recorder to take it."""
        self._pause -= 1
        return self._pause >= 0

    def _start(self, seed: int, kind: str, instruction: str) -> EpisodeRecord:
        if self._ledger.running is not None:
            raise EpisodeError(f"episode {self._ledger.running.episode_id} runs; end it first")
        self._reset(seed)
        self._watch.begin(self._stamp)
        self._free = False
        record = self._ledger.start(
            task=self._task, instruction=instruction or self.robot.instruction, kind=kind, seed=seed
        )
        self._episodes.publish(record, self._stamp)
        self.node.get_logger().info(f"episode {record.episode_id}: {kind}, seed {seed}")
        return record

    def _end(self, outcome: str, episode_id: str = "", discard: bool = False) -> EpisodeRecord:
        record = self._ledger.end(outcome, episode_id=episode_id, discard=discard)
        self._episodes.publish(record, self._stamp)
        reason = f" ({self.robot.failure_reason})" if self.robot.failure_reason else ""
        self.node.get_logger().info(f"episode {record.episode_id}: {outcome}{reason}, score {record.score:g}")
        self._expert = None
        self._done += 1
        self._pause = round(self._pause_s * self.contract.control_rate_hz)
        return record

    def _reset(self, seed: int) -> None:
        self.robot.reset(seed)
        self._first_step = self._step  # every camera sees the first instant of an episode
        self._gate.close()
        if self._commander == "expert":
            self._expert = make_expert(self.robot, np.random.default_rng(seed))

    def _on_start(self, request: StartEpisode.Request) -> EpisodeRecord:
        if request.task not in ("", self._task):
            raise EpisodeError(f"task {request.task!r} was asked for; this robot was brought up with {self._task!r}")
        seed = request.seed if request.seed >= 0 else self._next_seed
        self._next_seed = seed + 1
        return self._start(seed, request.kind, request.instruction)

    def _on_end(self, request: EndEpisode.Request) -> EpisodeRecord:
        decided = self.robot.outcome if self.robot.outcome != "running" else "unknown"
        return self._end(request.outcome or decided, request.episode_id, request.discard)

    def _on_control(self, message: ControlStatus) -> None:
        self._mode, self._reason = message.mode, message.reason
        commanding = message.reason.partition(":")[0] if message.mode in NOBODY else message.mode  # "human: waiting"
        if commanding in COMMANDING:
            self._authority = commanding
        if message.mode == ControlStatus.MODE_HUMAN:
            self._ledger.intervene()

    def _diagnose(self) -> None:
        values: dict[str, object] = {"seed": self.robot.seed, "outcome": self.robot.outcome, "episodes": self._done}
        values |= {"commands_held_back": self._gate.held_back, "commands_missed": self._gate.missed}
        values |= {"chunks_missed": self._watch.missed}
        if self._pacer is not None:
            values |= vars(self._pacer.lateness())
        level = DiagnosticStatus.OK if self._gate.heard else DiagnosticStatus.WARN
        message = "executing commands" if self._gate.heard else "no joint_command yet"
        self._diagnostics.publish(runtime.diagnostics(self.node, level, message, values))


def _at(event: RubricEventRecord, stamp_ns: int) -> RubricEventRecord:
    """The event on this node's clock: it became true in the period that ends now."""
    return dataclasses.replace(event, stamp=stamp_ns)


def main() -> int:
    return runtime.run(SimulatedRobotNode)


if __name__ == "__main__":
    sys.exit(main())
