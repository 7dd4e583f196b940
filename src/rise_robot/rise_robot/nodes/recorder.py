"""Records the contract's topics into MCAP bags, one per session, with the same writer as `rise_robot.collect`.

A lifecycle node. configure: opens a session. activate: subscribes. deactivate: stops listening. cleanup: finishes the
bag; configure again opens the next one. By itself (parameter autostart) it configures and activates at the start.
Subscribes: every topic of rise_robot.bag.schema. Publishes: /diagnostics (1 Hz).
With serve_episodes, for a robot that has no simulator to mark its episodes, it serves episode/start, episode/end and
episode/label and publishes episode/status, episode/rubric and contract.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from rclpy.subscription import Subscription
from std_msgs.msg import String

from rise_msgs.msg import ControlStatus, EpisodeStatus
from rise_msgs.srv import EndEpisode, StartEpisode
from rise_robot.bag import schema
from rise_robot.bag.session import RecordingSession, SessionConfig
from rise_robot.core.contract import Contract
from rise_robot.core.episodes import EpisodeLedger, EpisodeRecord
from rise_robot.core.errors import BagError, EpisodeError
from rise_robot.core.instructions import INSTRUCTIONS
from rise_robot.nodes import qos, runtime
from rise_robot.nodes.episode_services import EpisodeServices
from rise_robot.nodes.lifecycle import ManagedNode
from rise_robot.nodes.runtime import declare

QUEUE = 1000
"""Messages of one topic that may wait for this process: nothing is dropped while a disk stalls for seconds."""
PUMP_S = 0.05
CLOCK_S = 60.0
"""s of wall time without any /clock under use_sim_time."""


class RecorderNode:
    """Declares, wires, delegates: the bag is `RecordingSession`'s, the marks are `EpisodeLedger`'s."""

    def __init__(self) -> None:
        self.node = node = ManagedNode("recorder", self._transition)
        self.contract = runtime.declare_contract(node)
        self._config = _session_config(node)
        self._autostart = declare(node, "autostart", True, "Configure and activate at the start.")
        self._task = declare(node, "task", "", "Task of episodes started here with an empty task.")
        serve = declare(node, "serve_episodes", False, "Mark episodes (services episode/*): for a real robot.")
        self._session: RecordingSession | None = None
        self._lock = threading.RLock()
        self._failure: BagError | None = None
        self._listening: list[Subscription] = []
        self._heard: Counter[str] = Counter()
        told = declare(node, "instruction", "", "What a policy is told in these; empty: the task's own instruction.")
        self._marks = (
            _Marks(node, self.contract, (self._task, told), self._is_recording, self._take_mark) if serve else None
        )
        self._timeless_since: float | None = None
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(1.0, self._diagnose)

    def run(self, stop: threading.Event) -> None:
        if self._autostart:
            self.node.bring_up()
        while not stop.wait(PUMP_S) and self._failure is None:
            self._pump()
            self._require_clock()
            if self._marks:
                self._marks.services.serve()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Finish the bag, whatever state the node is in."""
        self._deactivate()
        self._cleanup()

    def _transition(self, name: str) -> TransitionCallbackReturn:
        """Carry out a lifecycle transition; a BagError fails it, and the node too when it started by itself."""
        try:
            {
                "configure": self._configure,
                "activate": self._activate,
                "deactivate": self._deactivate,
                "cleanup": self._cleanup,
            }[name]()
        except BagError as error:
            self.node.get_logger().error(str(error))
            if self._autostart:
                self._failure = error
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        with self._lock:
            self._session = RecordingSession(self._config, self.contract)
        if self._marks:
            self._marks.forget()
        self.node.get_logger().info(f"recording to {self._session.path}")

    def _activate(self) -> None:
        for spec in schema.topics(self.contract):
            if spec.name == schema.CONTRACT or (spec.name == schema.EPISODE_STATUS and self._marks):
                continue  # what this node says itself it writes itself
            profile = {"sensor": qos.SENSOR, "latched": qos.LATCHED}.get(spec.service, qos.EVENT)
            self._listening.append(
                self.node.create_subscription(
                    message_class(spec.msgtype), spec.name, partial(self._take, spec.name), _deep(profile), raw=True
                )
            )

    def _deactivate(self) -> None:
        """What is running ends with the recording, and its mark is in the bag."""
        if self._marks and self._is_recording():
            self._marks.end_running()
        while self._listening:
            self.node.destroy_subscription(self._listening.pop())
        self._pump()

    def _cleanup(self) -> None:
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                session.pump(self.node.get_clock().now().nanoseconds or time.time_ns())
                session.close()
                self.node.get_logger().info(f"{session.path}: {sum(session.counts.values())} messages")

    def _is_recording(self) -> bool:
        return self._session is not None and bool(self._listening)

    def _take(self, topic: str, data: bytes) -> None:
        session = self._session
        if session is not None:
            session.put(topic, self.node.get_clock().now().nanoseconds, data)
            self._heard[topic] += 1

    def _take_mark(self, message: EpisodeStatus) -> None:
        """A mark of this node's own; raises EpisodeError where no bag is open that could hold it."""
        if self._session is None:
            raise EpisodeError("no bag is open: the mark would be lost; configure the recorder")
        self._take(schema.EPISODE_STATUS, serialize_message(message))

    def _require_clock(self) -> None:
        """Under use_sim_time nothing can be written, nor told in diagnostics, before somebody publishes /clock."""
        if not self._is_recording() or self.node.get_clock().now().nanoseconds:
            self._timeless_since = None
        elif self._timeless_since is None:
            self._timeless_since = time.monotonic()
        elif time.monotonic() - self._timeless_since > CLOCK_S:
            self._failure = BagError(f"use_sim_time is set, but nobody has published /clock for {CLOCK_S:g} s")

    def _pump(self) -> None:
        with self._lock:
            if self._session is None or self._failure is not None:
                return
            try:
                self._session.pump(self.node.get_clock().now().nanoseconds)
            except BagError as error:
                self._failure = error

    def _diagnose(self) -> None:
        """Rates of the last second; a required stream that is silent is an error, said once when it falls silent."""
        heard, self._heard = self._heard, Counter()
        required = [spec.name for spec in schema.topics(self.contract) if spec.required and spec.rate_hz]
        silent = [name for name in required if not heard[name]] if self._is_recording() else []
        values: dict[str, object] = {f"{name}_hz": count for name, count in sorted(heard.items())}
        if self._session is not None:
            values |= {"bag": self._session.path, "queued": self._session.queued}
        level, message = DiagnosticStatus.OK, "recording" if self._is_recording() else "not recording"
        if silent:
            level, message = DiagnosticStatus.WARN, f"silent: {', '.join(silent)}"
        if self._failure is not None:
            level, message = DiagnosticStatus.ERROR, str(self._failure)
        self._diagnostics.publish(runtime.diagnostics(self.node, level, message, values))


class _Marks:
    """Episodes of a robot that nobody else marks."""

    def __init__(
        self,
        node: LifecycleNode,
        contract: Contract,
        usual: tuple[str, str],
        is_recording: Callable[[], bool],
        take: Callable[[EpisodeStatus], None],
    ) -> None:
        self._node, (self._task, self._instruction), self._is_recording = node, usual, is_recording
        self._ledger = EpisodeLedger(time.strftime(f"{self._task or 'episode'}_%Y%m%dT%H%M%S", time.gmtime()))
        self.services = EpisodeServices(node, self._ledger, self._start, self._end, take)
        node.create_subscription(ControlStatus, schema.CONTROL_STATUS, self._on_control, qos.LATCHED)
        self._contract = node.create_publisher(String, schema.CONTRACT, qos.LATCHED)
        self._contract.publish(String(data=contract.to_yaml()))

    def end_running(self) -> None:
        """An episode that is running when the recorder stops has no known outcome."""
        if self._ledger.running is not None:
            self._publish(self._ledger.end("unknown"))

    def forget(self) -> None:
        """Of a bag that is closed no episode can be labelled any more."""
        self._ledger.forget()

    def _start(self, request: StartEpisode.Request) -> EpisodeRecord:
        if not self._is_recording():
            raise EpisodeError("the recorder is not active; activate it first")
        task = request.task or self._task
        if not task:
            raise EpisodeError("no task was named, and the parameter task is empty")
        told = request.instruction or self._instruction or INSTRUCTIONS.get(task, "")
        if not told:
            raise EpisodeError(f"task {task} has no instruction of its own; name one, or set the parameter instruction")
        return self._publish(self._ledger.start(task=task, instruction=told, kind=request.kind, seed=-1))

    def _end(self, request: EndEpisode.Request) -> EpisodeRecord:
        outcome = request.outcome or "unknown"
        return self._publish(self._ledger.end(outcome, episode_id=request.episode_id, discard=request.discard))

    def _on_control(self, message: ControlStatus) -> None:
        if message.mode == ControlStatus.MODE_HUMAN:
            self._ledger.intervene()

    def _publish(self, record: EpisodeRecord) -> EpisodeRecord:
        self.services.publish(record, self._node.get_clock().now().nanoseconds)
        return record


def _session_config(node: LifecycleNode) -> SessionConfig:
    return SessionConfig(
        out=Path(declare(node, "out", "bags", "Directory of sessions.")),
        name=declare(node, "session", "", "Name of the bag in it; empty: the UTC time."),
        namespace=node.get_namespace(),
        compress=declare(node, "compress", False, "zstd chunks; pictures do not shrink."),
        sync=declare(node, "sync", True, "fsync every quarter second, against power cuts."),
        min_free_mb=declare(node, "min_free_mb", 200, "Free space at which recording ends, MB.", low=1, high=10**6),
    )


def message_class(msgtype: str) -> type:
    """The class of "package/msg/Name"."""
    package, _, name = msgtype.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)


def _deep(profile: QoSProfile) -> QoSProfile:
    """The same quality of service with room for a stalled disk."""
    return QoSProfile(
        history=profile.history, depth=QUEUE, reliability=profile.reliability, durability=profile.durability
    )


def main() -> int:
    return runtime.run(RecorderNode)


if __name__ == "__main__":
    sys.exit(main())
