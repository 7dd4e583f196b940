"""Lifecycle nodes that survive being asked for what their state does not allow."""

from __future__ import annotations

from collections.abc import Callable

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn


class RefusingLifecycleNode(LifecycleNode):
    """Refuses a transition that its state does not have; in rclpy 7.1 that raises, which ends the node.

    Two clients that change one node at a time, or one that asks twice, must not take the robot's driver down.
    """

    def _LifecycleNodeMixin__on_change_state(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        try:
            return super()._LifecycleNodeMixin__on_change_state(request, response)
        except RuntimeError as error:  # RCLError is one
            if "not registered" not in str(error):
                raise
            asked = request.transition.label or request.transition.id
            self.get_logger().error(f"{asked}: state {self._state_machine.current_state[1]} has no such transition")
            response.success = False
            return response

    def bring_up(self) -> bool:
        """Configure and activate, as a manager would; whether both succeeded."""
        triggers = (self.trigger_configure, self.trigger_activate)
        return all(trigger() == TransitionCallbackReturn.SUCCESS for trigger in triggers)


class ManagedNode(RefusingLifecycleNode):
    """Transitions are carried out by a function of their name; shutdown is deactivate and cleanup.

    Args:
        carry_out: called with configure, activate, deactivate or cleanup.
    """

    def __init__(self, name: str, carry_out: Callable[[str], TransitionCallbackReturn]) -> None:
        self._carry_out = carry_out
        super().__init__(name)

    def on_configure(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._carry_out("configure")

    def on_activate(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._carry_out("activate")

    def on_deactivate(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._carry_out("deactivate")

    def on_cleanup(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._carry_out("cleanup")

    def on_shutdown(self, _: LifecycleState) -> TransitionCallbackReturn:
        self._carry_out("deactivate")
        return self._carry_out("cleanup")
