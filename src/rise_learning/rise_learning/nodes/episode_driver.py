"""Asks a robot for episodes and waits for their outcomes, from a thread that may wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from rise_learning.errors import EvaluationError
from rise_learning.evaluation.deployment_figures import DeploymentFigures
from rise_learning.evaluation.results import EpisodeResult
from rise_msgs.msg import ControlStatus, EpisodeStatus, PolicyStatus, RubricEvent
from rise_msgs.srv import EndEpisode, SetControl, StartEpisode
from rise_robot.core.supervisor import START, STOPPED
from rise_robot.nodes import conversions, qos

ANSWER_S = 10.0
"""Wall time that a service may take."""
LATE_S = 2.0
"""Wall time from the answer of episode/end to its mark."""
EPISODES = QoSProfile(depth=20, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Every mark counts: a start must not replace the end before it."""


class EpisodeDriver:
    """Subscribes to what robot, controller and policy say; one episode at a time.

    Args:
        node: spun by other threads than the one that calls `run_episode`.
        stop: set when this process is to end.

    Attributes:
        policy_version: of the policy that reported last; "" before.
        advantage_bin: that it is asked for.
        figures: of the episodes since `forget`.
    """

    def __init__(self, node: Node, stop: threading.Event) -> None:
        self._node, self._stop, self._changed = node, stop, threading.Condition()
        self.policy_version, self.advantage_bin, self.figures = "", 0, DeploymentFigures()
        self._control: ControlStatus | None = None
        self._episode: EpisodeStatus | None = None
        self._begun_ns = 0
        self._events: list[str] = []
        node.create_subscription(EpisodeStatus, "episode/status", self._on_episode, EPISODES)
        node.create_subscription(RubricEvent, "episode/rubric", self._on_event, qos.EVENT)
        node.create_subscription(PolicyStatus, "policy/status", self._on_policy, qos.LATCHED)
        node.create_subscription(ControlStatus, "control/status", self._on_control, qos.LATCHED)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._start = node.create_client(StartEpisode, "episode/start")
        self._end = node.create_client(EndEpisode, "episode/end")
        self._set = node.create_client(SetControl, "control/set")

    def forget(self) -> None:
        """New figures."""
        with self._changed:
            self.figures = DeploymentFigures()

    def give_control_to_policy(self, timeout_s: float) -> None:
        """Wait until the policy's chunks are executed; ask for control where nobody had it yet, or where the controller
        withdrew it (a controlled stop). What a person has put on hold, or a blocked arm, waits for a person.

        Raises:
            EvaluationError: they are not, within the time-out, or an emergency stop is latched.
        """
        end = time.monotonic() + timeout_s
        while not self._wait(lambda: self._control is not None and self._control.mode == "policy", 0.5):
            with self._changed:
                control = self._control
            said = "nothing" if control is None else f"{control.mode}: {control.reason}"
            if time.monotonic() > end or self._stop.is_set() or (control and control.mode == ControlStatus.MODE_ESTOP):
                raise EvaluationError(f"no policy commands within {timeout_s:g} s; control/status says {said}")
            if control and control.mode == ControlStatus.MODE_HOLD and control.reason.startswith((START, STOPPED)):
                self.call(self._set, SetControl.Request(mode=ControlStatus.MODE_POLICY, reason="evaluation"))

    def run_episode(self, task: str, seed: int, timeout_s: float) -> EpisodeResult | None:
        """One rollout from its start to the outcome that the robot, or a person, decided.

        An episode that is not decided within `timeout_s` of wall time is ended; undecided is no success. None: somebody
        discarded it, or ended it without an outcome (a robot that shuts down): it says nothing of the policy.

        Raises:
            EvaluationError: the robot refuses, or this process is to end.
        """
        with self._changed:
            self._events = []
        request = StartEpisode.Request(task=task, kind=EpisodeStatus.KIND_ROLLOUT, seed=seed)
        episode_id = self.call(self._start, request).episode_id
        in_time = self._wait(lambda: self._has_ended(episode_id), timeout_s)
        if not in_time:
            self.call(self._end, EndEpisode.Request(episode_id=episode_id))
            if not self._wait(lambda: self._has_ended(episode_id), LATE_S):
                raise EvaluationError(f"episode {episode_id} was ended, but episode/status does not say so")
        if self._stop.is_set():
            raise EvaluationError("stopped")
        with self._changed:
            assert self._episode is not None
            status, events = self._episode, tuple(self._events)
        undecided = in_time and status.outcome == EpisodeStatus.OUTCOME_UNKNOWN
        if undecided or status.state == EpisodeStatus.STATE_DISCARDED:
            return None
        duration = (conversions.stamp_of(status) - self._begun_ns) * 1e-9
        return EpisodeResult(seed, status.outcome == EpisodeStatus.OUTCOME_SUCCESS, status.score, duration, events)

    def call(self, client: Any, request: Any) -> Any:
        """The response of a service. Raises EvaluationError when there is none, or it refuses."""
        if not client.wait_for_service(ANSWER_S):
            raise EvaluationError(f"service {client.srv_name} is not there; is the robot brought up?")
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(ANSWER_S):
            raise EvaluationError(f"service {client.srv_name} did not answer within {ANSWER_S:g} s")
        response = future.result()
        if not response.success:
            raise EvaluationError(f"{client.srv_name} refused: {response.message}")
        return response

    def wait_for_policy(self, timeout_s: float, version: str = "", advantage_bin: int | None = None) -> bool:
        """True once a policy has reported, or that of `version`, asked for `advantage_bin`."""

        def reported() -> bool:
            known = self.policy_version == (version or self.policy_version or None)
            return known and advantage_bin in (None, self.advantage_bin)

        return self._wait(reported, timeout_s)

    def _has_ended(self, episode_id: str) -> bool:
        newest = self._episode
        ends = (EpisodeStatus.STATE_ENDED, EpisodeStatus.STATE_DISCARDED)
        return newest is not None and newest.episode_id == episode_id and newest.state in ends

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._stop.is_set(), timeout_s)
            return condition()

    def _on_episode(self, message: EpisodeStatus) -> None:
        with self._changed:
            self._episode = message
            if message.state == EpisodeStatus.STATE_STARTED:
                self._begun_ns = conversions.stamp_of(message)
                self.figures.begin(self._begun_ns)
            elif message.state != EpisodeStatus.STATE_RUNNING:
                self.figures.end()
            self._changed.notify_all()

    def _on_event(self, message: RubricEvent) -> None:
        with self._changed:
            self._events.append(message.name)

    def _on_policy(self, message: PolicyStatus) -> None:
        with self._changed:
            self.policy_version, self.advantage_bin = message.policy_version, message.advantage_bin
            if message.state == PolicyStatus.STATE_RUNNING:
                self.figures.add_latency(message.latency_s)
            self._changed.notify_all()

    def _on_control(self, message: ControlStatus) -> None:
        with self._changed:
            self._control = message
            stamp = conversions.stamp_of(message)
            self.figures.add_control(stamp, message.mode, message.reason, message.chunk_age)
            for name in ("limit_hits", "refused", "stale_holds"):
                self.figures.add_count(name, getattr(message, name))
            self._changed.notify_all()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self._changed:
            for status in message.status:
                for pair in status.values:
                    if pair.key == "overruns":
                        self.figures.add_count(f"overruns/{status.name.rpartition('/')[2]}", int(pair.value))
