"""Imagination as a service: what would a chunk lead to from here? Nothing moves.

Action: imagine_chunk (rise_msgs/ImagineChunk), one goal at a time, of its own chunk or of the newest on
policy/action_chunk. Subscribes: joint_states, camera/*/image_raw/compressed, episode/status, policy/action_chunk.
Publishes, frame by frame: imagination/image (views above the curve of V), imagination/value, imagination/marker (the
same in words), for RViz and for debugging. The model runs in the main
thread, where its control maps were first drawn.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import rclpy.node
import torch
from rclpy.action.server import ServerGoalHandle
from sensor_msgs.msg import Image
from visualization_msgs.msg import Marker

from rise_learning.errors import RiseLearningError
from rise_learning.nodes.live_imagination import ImaginedFuture, LiveImagination, ahead, held
from rise_learning.nodes.one_goal import OneGoalServer
from rise_msgs.action import ImagineChunk
from rise_msgs.msg import ActionChunk, ImaginedValue
from rise_robot.core.errors import ObservationError, RiseRobotError
from rise_robot.core.observation_buffer import Observation
from rise_robot.nodes import conversions, qos, runtime
from rise_robot.nodes.observation_subscriber import ObservationSubscriber
from rise_robot.nodes.runtime import declare
from rise_worldmodel.errors import WorldModelError

WAIT_S = 2.0
"""For a first observation."""
MARKER_HEIGHT = 0.05
"""m of a letter; the marker stands above the base."""


@dataclass
class _Job:
    """A goal on its way through the main thread."""

    handle: ServerGoalHandle
    result: ImagineChunk.Result = field(default_factory=lambda: failed(""))
    done: threading.Event = field(default_factory=threading.Event)

    def feedback(self, stage: str, progress: float) -> None:
        self.handle.publish_feedback(ImagineChunk.Feedback(stage=stage, progress=progress))


class ImaginationNode:
    """Declares, wires, delegates: what is seen is ObservationSubscriber's, what comes of it LiveImagination's."""

    def __init__(self) -> None:
        self.node = node = rclpy.node.Node("imagination")
        self.contract = contract = runtime.declare_contract(node)
        self._run = declare(node, "run", "", "Run directory with dynamics and value.")
        self._steps = declare(
            node, "dynamics_steps", 0, "Euler steps of a goal that names none; 0: the dynamics' own.", low=0, high=1000
        )
        self._trust = declare(node, "trust", False, "Say how far an imagination may be trusted.")
        self._instruction = declare(node, "instruction", "", "Used while no episode/status gives one.")
        rate = declare(node, "show_rate_hz", 0.0, "Frames per second; 0: as they would happen.", low=0.0, high=1000.0)
        self._period_s = 1.0 / rate if rate else contract.control_period_s * contract.actions_per_frame
        torch.set_num_threads(declare(node, "threads", 1, "Threads of one imagination.", low=1, high=64))
        self._images = node.create_publisher(Image, "imagination/image", qos.SENSOR)
        self._values = node.create_publisher(ImaginedValue, "imagination/value", qos.EVENT)
        self._markers = node.create_publisher(Marker, "imagination/marker", qos.EVENT)
        self._inputs = ObservationSubscriber(node, contract)
        self._newest: ActionChunk | None = None
        node.create_subscription(ActionChunk, "policy/action_chunk", self._on_chunk, qos.COMMAND)
        self._model: LiveImagination | None = None
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._action = OneGoalServer(
            node, ImagineChunk, "imagine_chunk", self._execute,
            usable=lambda goal: self._model is not None and goal.seed >= 0,
            refusal="still loading, another one runs, or its seed is negative",
        )  # fmt: skip

    def run(self, stop: threading.Event) -> None:
        model = LiveImagination(Path(self._run), self.contract, steps=self._steps, trust=self._trust)
        seconds = model.warm_up()
        self.node.get_logger().info(f"{self._run}: ready, warm-up took {seconds:.3f} s")
        self._model = model
        while not stop.is_set():
            try:
                job = self._jobs.get(timeout=0.1)
            except queue.Empty:
                continue
            try:
                job.result = self._work(model, job, stop)
            except (RiseLearningError, RiseRobotError, WorldModelError) as error:
                job.result = failed(str(error))
                self.node.get_logger().warning(str(error))
            finally:
                job.done.set()
        self._stop.set()

    def close(self) -> None:
        self._stop.set()
        self._action.destroy()

    def _on_chunk(self, message: ActionChunk) -> None:
        self._newest = message

    def _execute(self, handle: ServerGoalHandle) -> ImagineChunk.Result:
        job = _Job(handle)
        self._jobs.put(job)
        while not job.done.wait(0.05) and not self._stop.is_set():
            pass
        if handle.is_cancel_requested:
            handle.canceled()
        elif job.result.message or not job.done.is_set():
            handle.abort()
        else:
            handle.succeed()
        return job.result

    def _work(self, model: LiveImagination, job: _Job, stop: threading.Event) -> ImagineChunk.Result:
        """Observe, imagine, show."""
        goal = job.handle.request
        job.feedback("observing", 0.0)
        seen = self._observe(model)
        chunk = conversions.chunk_of(goal.chunk if goal.chunk.positions else self._policys_chunk(), self.contract)
        own = bool(goal.chunk.positions)
        actions = held(chunk.actions, self.contract) if own else ahead(chunk, seen.stamp_ns, self.contract)
        job.feedback("imagining", 0.1)
        begin = time.monotonic()
        instruction = self._inputs.instruction or self._instruction
        future = model.imagine(seen, actions, instruction, seed=goal.seed, steps=goal.steps)
        seconds = time.monotonic() - begin
        shown = self._show(job, future, seen.stamp_ns, chunk.policy_version, stop)
        message = "" if shown else "ended before all frames were shown"
        return ImagineChunk.Result(
            values=future.values.tolist(),
            value_now=future.value_now,
            advantage=future.advantage,
            trust=future.trust,
            advantage_bin=future.advantage_bin,
            policy_version=chunk.policy_version,
            seconds=seconds,
            message=message,
        )

    def _observe(self, model: LiveImagination) -> Observation:
        """Raises ObservationError: a stream is missing or stale."""
        seen = self._inputs.observe(max(1, self._inputs.begin_ns), model.history, WAIT_S)
        silent = self._inputs.silent(self.node.get_clock().now().nanoseconds)
        if seen is None or silent:
            raise ObservationError("missing or stale: " + (", ".join(silent) or "no complete observation yet"))
        return seen

    def _policys_chunk(self) -> ActionChunk:
        if self._newest is None:
            raise ObservationError("policy/action_chunk has said nothing; give the goal a chunk, or start the policy")
        return self._newest

    def _show(self, job: _Job, future: ImaginedFuture, stamp_ns: int, version: str, stop: threading.Event) -> bool:
        """Publish frame by frame; False where it was cancelled or the node ends."""
        count, due = len(future.values), time.monotonic()
        step_ns = round(1e9 * self.contract.control_period_s * self.contract.actions_per_frame)
        for frame, picture in enumerate(future.pictures()):
            if job.handle.is_cancel_requested or stop.is_set():
                return False
            when = stamp_ns + (frame + 1) * step_ns
            self._images.publish(conversions.image(self.contract.cameras[0], when, picture))
            self._values.publish(value_message(future, frame, when, version))
            self._markers.publish(marker(future, frame, self.node.get_clock().now().to_msg()))
            job.feedback("showing", 0.2 + 0.8 * (frame + 1) / count)
            due += self._period_s
            stop.wait(max(0.0, due - time.monotonic()))
        return True


def failed(message: str) -> ImagineChunk.Result:
    """Nothing was imagined, and why."""
    nan = float("nan")
    return ImagineChunk.Result(value_now=nan, advantage=nan, trust=nan, seconds=0.0, message=message)


def value_message(future: ImaginedFuture, frame: int, stamp_ns: int, version: str) -> ImaginedValue:
    """Of frame `frame`, counted from 0."""
    return ImaginedValue(
        header=conversions.to_header(stamp_ns),
        frame=frame + 1,
        frames=len(future.values),
        value=float(future.values[frame]),
        value_now=future.value_now,
        advantage=future.advantage,
        trust=future.trust,
        policy_version=version,
    )


def marker(future: ImaginedFuture, frame: int, stamp: object) -> Marker:
    """The value of a frame in words above the base, for RViz."""
    found = Marker(ns="imagination", type=Marker.TEXT_VIEW_FACING, action=Marker.ADD)
    found.header.frame_id, found.header.stamp = "base_link", stamp
    found.pose.position.z, found.pose.orientation.w = 0.8, 1.0
    found.scale.z = MARKER_HEIGHT
    good = future.values[frame] >= future.value_now
    found.color.r, found.color.g, found.color.b, found.color.a = (0.2, 0.8, 0.3, 1.0) if good else (0.9, 0.4, 0.1, 1.0)
    found.text = f"V {future.values[frame]:+.2f} (now {future.value_now:+.2f})  A {future.advantage:+.3f}"
    return found


def main() -> int:
    return runtime.run(ImaginationNode, threads=4)


if __name__ == "__main__":
    sys.exit(main())
