"""Episodes of a real robot, which the recorder marks: kinds, instructions, and marks that reach the bag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from rosbags.rosbag2 import Reader
from threaded_node import ThreadedNode, init

from rise_msgs.msg import ControlStatus, EpisodeStatus
from rise_msgs.srv import EndEpisode, LabelEpisode, StartEpisode
from rise_robot.bag import messages, schema
from rise_robot.core.errors import BagError
from rise_robot.core.instructions import INSTRUCTIONS
from rise_robot.nodes import qos, recorder
from rise_robot.nodes.recorder import RecorderNode
from rise_robot.stop_signals import StopRequest


class Operator:
    """A recorder in a thread of its own, and who asks it for episodes."""

    def __init__(self, out: Path, *parameters: str) -> None:
        words = ("contract:=contract_tiny.yaml", f"out:={out}", "session:=bag", "serve_episodes:=true", *parameters)
        init(*(word for parameter in words for word in ("-p", parameter)))
        self.recorder, self.node = RecorderNode(), rclpy.create_node("operator", use_global_arguments=False)
        self.heard: list[EpisodeStatus] = []
        self.node.create_subscription(EpisodeStatus, "episode/status", self.heard.append, qos.LATCHED)
        self.control = self.node.create_publisher(ControlStatus, "control/status", qos.LATCHED)
        self.running = ThreadedNode(self.recorder, self.node)

    def until(self, condition: Callable[[], Any]) -> None:
        self.running.until(condition, lambda: self.heard, 30.0)

    def call(self, service: type, name: str, **fields: Any) -> Any:
        client = self.node.create_client(service, name)
        self.until(client.service_is_ready)
        future = client.call_async(service.Request(**fields))
        self.until(future.done)
        return future.result()


@contextmanager
def operator(out: Path, *parameters: str) -> Iterator[Operator]:
    found = Operator(out, *parameters)
    try:
        found.until(found.recorder._is_recording)
        yield found
    finally:
        found.running.close()


def marks(bag: Path) -> list[tuple[str, str]]:
    """State and outcome of every mark in the bag, in their order."""
    with Reader(bag) as reader:
        connections = [c for c in reader.connections if c.topic == f"/{schema.EPISODE_STATUS}"]
        found = [messages.deserialize(data, c.msgtype) for c, _, data in reader.messages(connections)]
    return [(each.state, each.outcome) for each in found]


def test_an_episode_with_a_take_over_is_a_dagger_episode(tmp_path: Path) -> None:
    with operator(tmp_path, "task:=box_closing") as person:
        person.until(person.control.get_subscription_count)
        for commanding, kind in (("policy", "rollout"), ("human", "dagger")):
            assert person.call(StartEpisode, "episode/start", kind="rollout").success
            person.control.publish(ControlStatus(mode=commanding))
            for _ in range(20):
                person.running.spin_once(0.02)
            assert person.call(EndEpisode, "episode/end", outcome="success").success
            person.until(lambda: person.heard and person.heard[-1].state == "ended")
            assert (person.heard[-1].kind, person.heard[-1].task) == (kind, "box_closing")
            assert person.heard[-1].instruction == INSTRUCTIONS["box_closing"], "what nobody said is the task's own"
            person.heard.clear()
    assert marks(tmp_path / "bag") == 2 * [("started", "unknown"), ("ended", "success")]


def test_what_runs_when_the_recorder_ends_has_its_end_in_the_bag(tmp_path: Path) -> None:
    with operator(tmp_path, "task:=box_closing") as person:
        assert person.call(StartEpisode, "episode/start", kind="demonstration").success
    assert marks(tmp_path / "bag") == [("started", "unknown"), ("ended", "unknown")]


def test_a_label_is_in_the_bag_or_refused(tmp_path: Path) -> None:
    with operator(tmp_path, "task:=box_closing") as person:
        episode = person.call(StartEpisode, "episode/start", kind="rollout").episode_id
        person.recorder._transition("deactivate")
        assert person.call(LabelEpisode, "episode/label", episode_id=episode, outcome="failure").success
        assert not person.call(EndEpisode, "episode/end", outcome="success").success, "it has ended with the recording"
        person.recorder._transition("cleanup")
        late = person.call(LabelEpisode, "episode/label", episode_id=episode, outcome="success")
        assert not late.success and "no bag is open" in late.message
    assert marks(tmp_path / "bag") == [("started", "unknown"), ("ended", "unknown"), ("ended", "failure")]


def test_an_episode_of_an_unknown_task_needs_an_instruction(tmp_path: Path) -> None:
    with operator(tmp_path) as person:
        refused = person.call(StartEpisode, "episode/start", kind="rollout", task="pouring")
        assert not refused.success and "has no instruction of its own" in refused.message
        assert person.call(StartEpisode, "episode/start", kind="rollout", task="pouring", instruction="pour").success


def test_a_clock_that_nobody_publishes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "CLOCK_S", 1.0)
    words = ("contract:=contract_tiny.yaml", f"out:={tmp_path}", "use_sim_time:=true")
    init(*(word for each in words for word in ("-p", each)))
    node = RecorderNode()
    try:
        with pytest.raises(BagError, match="nobody has published /clock"):
            node.run(StopRequest())
    finally:
        node.close()
        node.node.destroy_node()
        rclpy.shutdown()
