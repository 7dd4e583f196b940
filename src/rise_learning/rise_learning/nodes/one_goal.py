"""An action that is worked on one goal at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node


class OneGoalServer:
    """Serves an action; while a goal is worked on, others are rejected. Cancelling is always granted.

    Args:
        execute: works on an accepted goal; ends its handle and returns the result.
        usable: whether a goal can be worked on now.
        refusal: what is logged of a rejected one.

    Attributes:
        busy: held from when a goal is accepted until its work is done; a node that works by itself takes it likewise.
    """

    def __init__(
        self,
        node: Node,
        kind: Any,
        name: str,
        execute: Callable[[ServerGoalHandle], Any],
        *,
        usable: Callable[[Any], bool],
        refusal: str,
    ) -> None:
        self.busy = threading.Lock()
        self._node, self._work, self._usable, self._refusal = node, execute, usable, refusal
        self._server = ActionServer(
            node, kind, name, self._execute, callback_group=ReentrantCallbackGroup(),
            goal_callback=self._on_goal, cancel_callback=lambda _: CancelResponse.ACCEPT,
        )  # fmt: skip

    def destroy(self) -> None:
        self._server.destroy()

    def _on_goal(self, goal: Any) -> GoalResponse:
        """An accepted goal is busy from here on: a second one may come before the first begins to run."""
        accepted = self._usable(goal) and self.busy.acquire(blocking=False)
        if not accepted:
            self._node.get_logger().warning(f"goal rejected: {self._refusal}")
        return GoalResponse.ACCEPT if accepted else GoalResponse.REJECT

    def _execute(self, handle: ServerGoalHandle) -> Any:
        try:
            return self._work(handle)
        finally:
            self.busy.release()
