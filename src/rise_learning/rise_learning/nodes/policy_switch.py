"""Makes a running policy node load another policy: deactivate, clean up, set what to load, configure, activate."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node

from rise_learning.errors import EvaluationError

LOAD_S = 60.0
POLL_S = 0.1


class PolicySwitch:
    """Args:
    node: spun by other threads than the one that calls `load`.
    policy: relative name of the policy node.
    """

    def __init__(self, node: Node, policy: str = "policy") -> None:
        self._change = node.create_client(ChangeState, f"{policy}/change_state")
        self._state = node.create_client(GetState, f"{policy}/get_state")
        self._set = node.create_client(SetParameters, f"{policy}/set_parameters")

    def load(self, directory: Path, advantage_bin: int) -> None:
        """Raises EvaluationError where the node is not there or refuses a step; its log says why.

        Args:
            advantage_bin: as the parameter of the policy node, -1 for the best one.

        While a bringup is on its way the node is left alone until it is active; one that could not load what it was
        told last is unconfigured, and is told anew.
        """
        if self._settled() == State.PRIMARY_STATE_ACTIVE:
            self._transition(Transition.TRANSITION_DEACTIVATE, "deactivate")
            self._transition(Transition.TRANSITION_CLEANUP, "clean up")
        run = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=str(directory))
        number = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=advantage_bin)
        parameters = [Parameter(name="run", value=run), Parameter(name="advantage_bin", value=number)]
        results = _answer(self._set, SetParameters.Request(parameters=parameters)).results
        for parameter, result in zip(parameters, results, strict=True):
            if not result.successful:
                raise EvaluationError(f"policy node refused {parameter.name}: {result.reason}")
        self._transition(Transition.TRANSITION_CONFIGURE, f"configure {directory}")
        self._transition(Transition.TRANSITION_ACTIVATE, "activate")

    def _settled(self) -> int:
        """Active or unconfigured, whichever it is first."""
        end = time.monotonic() + LOAD_S
        while True:
            state = _answer(self._state, GetState.Request()).current_state
            if state.id in (State.PRIMARY_STATE_ACTIVE, State.PRIMARY_STATE_UNCONFIGURED):
                return state.id
            if time.monotonic() > end:
                raise EvaluationError(f"policy node is {state.label} since {LOAD_S:g} s; activate it")
            time.sleep(POLL_S)

    def _transition(self, number: int, name: str) -> None:
        if not _answer(self._change, ChangeState.Request(transition=Transition(id=number))).success:
            raise EvaluationError(f"policy node did not {name}; its log says why")


def _answer(client: Any, request: Any) -> Any:
    if not client.wait_for_service(LOAD_S):
        raise EvaluationError(f"service {client.srv_name} is not there; start the policy node")
    done = threading.Event()
    future = client.call_async(request)
    future.add_done_callback(lambda _: done.set())
    if not done.wait(LOAD_S):
        raise EvaluationError(f"service {client.srv_name} did not answer within {LOAD_S:g} s")
    return future.result()
