"""The live side of an observation: topics into an ObservationBuffer, observations out, from another thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from functools import partial

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, JointState

from rise_msgs.msg import EpisodeStatus
from rise_robot.core.contract import Contract
from rise_robot.core.errors import CommandError, ObservationError
from rise_robot.core.observation_buffer import Observation, ObservationBuffer
from rise_robot.nodes import conversions, qos


class ObservationSubscriber:
    """Subscribes to joint_states, every camera's image_raw/compressed (what bags hold) and episode/status.

    Attributes:
        instruction: of the running or last episode; "" before the first.
        begin_ns: when that episode began; 0 before the first.
        refused: messages that were refused, by topic.
    """

    def __init__(self, node: Node, contract: Contract) -> None:
        self._node, self._contract = node, contract
        self._buffer, self._changed = ObservationBuffer(contract), threading.Condition()
        self._episode = ""
        self.instruction, self.begin_ns = "", 0
        self.refused: Counter[str] = Counter()
        self._subscriptions = [
            node.create_subscription(JointState, "joint_states", self._on_joints, qos.SENSOR),
            node.create_subscription(EpisodeStatus, "episode/status", self._on_episode, qos.LATCHED),
        ]
        for camera in contract.cameras:
            take = partial(self._on_frame, camera.name, camera.compressed_topic)
            self._subscriptions.append(
                node.create_subscription(CompressedImage, camera.compressed_topic, take, qos.SENSOR)
            )

    def close(self) -> None:
        """Stop listening."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def observe(self, after_ns: int, history: Sequence[int], timeout_s: float) -> Observation | None:
        """The newest complete observation at or after `after_ns`; None when there is none within the time-out.

        Raises:
            ObservationError: streams are missing or stale; nothing was made up.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: (self._buffer.latest_ns() or 0) >= after_ns, timeout_s):
                return None
            latest = self._buffer.latest_ns()
            if latest is None:
                raise ObservationError("a stream is silent: no complete observation yet")
            return self._buffer.observation(latest, history)

    def silent(self, now_ns: int) -> list[str]:
        """Topics whose newest message at `now_ns` is older than the contract allows, or that sent none."""
        with self._changed:
            return self._buffer.silent(now_ns)

    def _on_joints(self, message: JointState) -> None:
        try:
            positions = conversions.positions_of(message, self._contract)
            with self._changed:
                self._buffer.add_joints(conversions.stamp_of(message), positions)
                self._changed.notify_all()
        except (CommandError, ObservationError) as error:
            self._refuse("joint_states", error)

    def _on_frame(self, camera: str, topic: str, message: CompressedImage) -> None:
        try:
            with self._changed:
                self._buffer.add_frame(camera, conversions.stamp_of(message), bytes(message.data))
                self._changed.notify_all()
        except ObservationError as error:
            self._refuse(topic, error)

    def _on_episode(self, message: EpisodeStatus) -> None:
        with self._changed:
            if conversions.is_running(message):  # a label of an episode before is no instruction
                self.instruction = message.instruction
            if message.episode_id != self._episode and message.state == EpisodeStatus.STATE_STARTED:
                self._episode = message.episode_id
                self.begin_ns = conversions.stamp_of(message)
                self._buffer.begin(self.begin_ns)

    def _refuse(self, topic: str, error: Exception) -> None:
        self.refused[topic] += 1
        self._node.get_logger().warning(str(error), throttle_duration_sec=1.0)
