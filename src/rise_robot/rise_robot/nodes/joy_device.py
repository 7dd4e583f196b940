"""The topic `joy` (sensor_msgs/Joy, package joy) as an input device: AXIS_0, AXIS_1, ..., BUTTON_0, ..."""

from __future__ import annotations

import queue
import time

from rclpy.node import Node
from sensor_msgs.msg import Joy

from rise_robot.core.errors import TeleoperationError
from rise_robot.nodes import qos
from rise_robot.teleop.devices import InputEvent

SILENCE_S = 1.0
"""joy repeats its state 20 times a second by default; this long without one means that it is gone."""


class JoyDevice:
    """Changes between two messages become events."""

    def __init__(self, node: Node) -> None:
        self._node, self._events = node, queue.SimpleQueue[InputEvent]()
        self._last: dict[str, float] = {}
        self._heard_s: float | None = None
        self._subscription = node.create_subscription(Joy, "joy", self._on_joy, qos.EVENT)

    def poll(self) -> list[InputEvent]:
        if self._heard_s is not None and time.monotonic() - self._heard_s > SILENCE_S:
            raise TeleoperationError(f"the topic joy has been silent for {SILENCE_S:g} s")
        events = []
        while not self._events.empty():
            events.append(self._events.get_nowait())
        return events

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _on_joy(self, message: Joy) -> None:
        self._heard_s = time.monotonic()
        state = {f"AXIS_{i}": float(value) for i, value in enumerate(message.axes)}
        state |= {f"BUTTON_{i}": float(value) for i, value in enumerate(message.buttons)}
        for name, value in state.items():
            if value != self._last.get(name, 0.0):
                self._events.put(InputEvent(name, value))
        self._last = state
