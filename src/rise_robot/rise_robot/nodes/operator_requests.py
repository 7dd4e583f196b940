"""What a person at an input device asks of other nodes: who commands, episodes, emergency stop. Nothing waits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Empty

from rise_msgs.msg import EpisodeStatus
from rise_msgs.srv import EndEpisode, LabelEpisode, SetControl, StartEpisode
from rise_robot.core.supervisor import Mode
from rise_robot.nodes import conversions, qos


class OperatorRequests:
    """Args:
    node: owner of the clients.
    kind: of the episodes that are started.
    say: tells the person how a request went.
    on_episode: called with (episode id, it runs) at every episode status.
    """

    def __init__(
        self, node: Node, kind: str, say: Callable[[str], None], on_episode: Callable[[str, bool], None]
    ) -> None:
        self._kind, self._say, self._on_change = kind, say, on_episode
        self._episode, self._runs = "", False
        self._stop = node.create_publisher(Empty, "control/emergency_stop", qos.EVENT)
        self._set = node.create_client(SetControl, "control/set")
        self._start = node.create_client(StartEpisode, "episode/start")
        self._end = node.create_client(EndEpisode, "episode/end")
        self._label = node.create_client(LabelEpisode, "episode/label")
        node.create_subscription(EpisodeStatus, "episode/status", self._on_status, qos.LATCHED)

    def emergency_stop(self) -> None:
        """By the topic: there is no answer to wait for."""
        self._stop.publish(Empty())
        self._say("emergency stop")

    def control(self, mode: Mode, granted: Callable[[], None] = lambda: None) -> None:
        """Ask for `mode`; `granted` is called, in the executor's thread, when it was entered."""
        request = SetControl.Request(mode=mode.value, reason=f"{mode.value}: asked for by the operator")
        self._call(self._set, request, f"control to {mode.value}", granted)

    def start_episode(self) -> None:
        self._call(self._start, StartEpisode.Request(kind=self._kind, seed=-1), f"{self._kind} started")

    def judge(self, verdict: str) -> None:
        """success, failure or discard: ends the running episode, else labels the last one."""
        discard = verdict == "discard"
        outcome = "" if discard else verdict
        if self._runs:
            self._call(self._end, EndEpisode.Request(outcome=outcome, discard=discard), f"episode ended: {verdict}")
        elif self._episode:
            request = LabelEpisode.Request(episode_id=self._episode, outcome=outcome, discard=discard, score=math.nan)
            self._call(self._label, request, f"last episode labelled: {verdict}")
        else:
            self._say(f"{verdict}: no episode to judge")

    def _call(self, client: Any, request: Any, done: str, granted: Callable[[], None] = lambda: None) -> None:
        if not client.service_is_ready():
            self._say(f"{client.srv_name} is not there: nothing was done")
            return

        def answer(future: Any) -> None:
            response = future.result()
            self._say(done if response.success else f"refused: {response.message}")
            if response.success:
                granted()

        client.call_async(request).add_done_callback(answer)

    def _on_status(self, status: EpisodeStatus) -> None:
        if self._runs and not conversions.is_running(status) and status.episode_id != self._episode:
            return  # somebody labels an episode of before
        self._episode, self._runs = status.episode_id, conversions.is_running(status)
        self._on_change(self._episode, self._runs)
