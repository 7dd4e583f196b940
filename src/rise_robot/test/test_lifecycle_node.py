"""A node that is asked for a transition which its state does not have refuses, and lives."""

import pytest

rclpy = pytest.importorskip("rclpy")

from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rclpy.node import Node  # noqa: E402
from threaded_node import init  # noqa: E402

from rise_robot.nodes.lifecycle import ManagedNode  # noqa: E402


def test_a_transition_that_does_not_fit_is_refused_and_the_next_one_made():
    init()
    done = []
    managed = ManagedNode("driver", lambda name: done.append(name) or TransitionCallbackReturn.SUCCESS)
    beside, executor = Node("beside"), SingleThreadedExecutor()
    executor.add_node(managed)
    executor.add_node(beside)
    client = beside.create_client(ChangeState, "driver/change_state")

    def change(number: int) -> bool:
        future = client.call_async(ChangeState.Request(transition=Transition(id=number)))
        executor.spin_until_future_complete(future, timeout_sec=30.0)
        return future.result().success

    try:
        assert client.wait_for_service(30.0)
        assert not change(Transition.TRANSITION_ACTIVATE)  # it is not configured
        assert change(Transition.TRANSITION_CONFIGURE) and change(Transition.TRANSITION_ACTIVATE)
        assert not change(Transition.TRANSITION_CLEANUP)  # it is active
        assert done == ["configure", "activate"]
    finally:
        executor.shutdown()
        for node in (managed, beside):
            node.destroy_node()
        rclpy.try_shutdown()
