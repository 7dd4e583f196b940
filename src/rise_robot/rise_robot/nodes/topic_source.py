"""Pictures of another driver (RealSense and the like) as a source: `topic:/camera/camera/color/image_raw`."""

from __future__ import annotations

import queue
from contextlib import suppress

from rclpy.node import Node
from sensor_msgs.msg import Image

from rise_robot.cameras.sources import Frame
from rise_robot.core.errors import CameraError
from rise_robot.nodes import conversions, qos
from rise_robot.nodes.image_messages import rgb_of

SILENCE_S = 2.0


class TopicSource:
    """Only the newest picture waits to be read; its stamp is the driver's."""

    live = True

    def __init__(self, node: Node, topic: str) -> None:
        self._node, self._topic = node, topic
        self._newest: queue.Queue[Image] = queue.Queue(maxsize=1)
        self._subscription = node.create_subscription(Image, topic, self._on_image, qos.SENSOR)

    def read(self) -> Frame:
        try:
            message = self._newest.get(timeout=SILENCE_S)
        except queue.Empty:
            raise CameraError(f"topic {self._topic} has been silent for {SILENCE_S:g} s") from None
        return Frame(conversions.stamp_of(message), rgb_of(message))

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _on_image(self, message: Image) -> None:
        try:
            self._newest.put_nowait(message)
        except queue.Full:
            with suppress(queue.Empty):  # taken meanwhile
                self._newest.get_nowait()
            self._newest.put_nowait(message)
