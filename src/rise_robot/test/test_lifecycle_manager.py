"""A transition whose answer is lost counts as soon as the node says itself where it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")

import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from threaded_node import init

from rise_robot.nodes.lifecycle_manager import LifecycleManagerNode


class Silent:
    """A node that changes its state to `state` when it is asked to change, and whose answer never comes."""

    def __init__(self, state: int) -> None:
        self.node, self.over = Node("silent"), threading.Event()
        self._then, self._state = state, State.PRIMARY_STATE_UNCONFIGURED
        group = ReentrantCallbackGroup()
        self.node.create_service(ChangeState, "silent/change_state", self._change, callback_group=group)
        self.node.create_service(GetState, "silent/get_state", self._tell, callback_group=group)
        self.executor = MultiThreadedExecutor(num_threads=3)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)
        self.thread.start()

    def _change(self, _: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        self._state = self._then
        self.over.wait(60.0)
        return response

    def _tell(self, _: GetState.Request, response: GetState.Response) -> GetState.Response:
        response.current_state.id = self._state
        return response


@pytest.fixture
def manager() -> Iterator[LifecycleManagerNode]:
    init("-p", "nodes:=silent", "-p", "transition_timeout_s:=5.0")
    manager = LifecycleManagerNode()
    yield manager
    manager.close()
    manager.node.destroy_node()
    rclpy.try_shutdown()


@pytest.mark.parametrize(
    ("state", "words"),
    [(State.PRIMARY_STATE_INACTIVE, ""), (State.PRIMARY_STATE_UNCONFIGURED, "not done within 5 s")],
    ids=["done", "not done"],
)
def test_a_lost_answer_is_asked_for(manager: LifecycleManagerNode, state: int, words: str) -> None:
    silent = Silent(state)
    try:
        assert manager._change("silent", "configure") == words
    finally:
        silent.over.set()
        silent.executor.shutdown(timeout_sec=2.0)
        silent.thread.join(timeout=2.0)
        silent.node.destroy_node()
