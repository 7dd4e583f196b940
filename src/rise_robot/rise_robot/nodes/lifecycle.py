"""A lifecycle node whose transitions are carried out by a function of their name."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn


class ManagedNode(LifecycleNode):
    """Shutdown is deactivate and cleanup.

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
