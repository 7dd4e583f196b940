"""Episodes of a real robot, which the recorder marks: one that a person corrected is a dagger episode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from threaded_node import ThreadedNode, init

from rise_msgs.msg import ControlStatus, EpisodeStatus
from rise_msgs.srv import EndEpisode, StartEpisode
from rise_robot.nodes import qos
from rise_robot.nodes.recorder import RecorderNode


def test_an_episode_with_a_take_over_is_a_dagger_episode(tmp_path: Path) -> None:
    parameters = ("contract:=contract_tiny.yaml", f"out:={tmp_path}", "serve_episodes:=true", "task:=box_closing")
    init(*(word for parameter in parameters for word in ("-p", parameter)))
    recorder, node = RecorderNode(), rclpy.create_node("operator", use_global_arguments=False)
    heard: list[EpisodeStatus] = []
    node.create_subscription(EpisodeStatus, "episode/status", heard.append, qos.LATCHED)
    control = node.create_publisher(ControlStatus, "control/status", qos.LATCHED)
    running = ThreadedNode(recorder, node)

    def until(condition: Callable[[], Any]) -> None:
        running.until(condition, lambda: heard, 30.0)

    def call(service: type, name: str, **fields: Any) -> Any:
        client = node.create_client(service, name)
        until(client.service_is_ready)
        future = client.call_async(service.Request(**fields))
        until(future.done)
        return future.result()

    try:
        until(recorder._is_recording)
        until(control.get_subscription_count)
        for commanding, kind in (("policy", "rollout"), ("human", "dagger")):
            assert call(StartEpisode, "episode/start", kind="rollout").success
            control.publish(ControlStatus(mode=commanding))
            for _ in range(20):
                running.spin_once(0.02)
            assert call(EndEpisode, "episode/end", outcome="success").success
            until(lambda: heard and heard[-1].state == "ended")
            assert (heard[-1].kind, heard[-1].task) == (kind, "box_closing")
            heard.clear()
    finally:
        running.close()
