"""Imagination as a service: what it imagines is what the world model of the run says, and the node answers over DDS."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy")
sys.path.insert(0, str(Path(__file__).parent))

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from ros_helpers import TINY, Deployment
from sensor_msgs.msg import Image
from synthetic import save_untrained_world
from visualization_msgs.msg import Marker

from rise_learning.errors import PolicyError
from rise_learning.nodes.live_imagination import LiveImagination, ahead, held
from rise_msgs.action import ImagineChunk
from rise_msgs.msg import ActionChunk, ImaginedValue
from rise_robot.core.chunk import Chunk
from rise_robot.core.observation_buffer import Observation
from rise_robot.nodes import conversions, qos


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained_world(tmp_path_factory.mktemp("run"))


def _seen() -> Observation:
    rng = np.random.default_rng(0)
    frames = {c.name: rng.integers(0, 255, (4, c.height, c.width, 3), np.uint8) for c in TINY.cameras}
    return Observation(0, np.zeros(TINY.action_dim, np.float32), frames)


def test_only_what_lies_ahead_of_a_chunk_is_imagined() -> None:
    actions = np.arange(50.0)[:, None].repeat(TINY.action_dim, 1)
    chunk = Chunk(10**9, actions)
    found = ahead(chunk, 10**9 + round(12 * 1e9 * TINY.control_period_s), TINY)
    assert found[:, 0].tolist() == [*range(12, 50), *[49.0] * 12], "then the robot holds"
    assert ahead(chunk, 10**9, TINY)[:, 0].tolist() == list(range(50))
    assert held(actions[:2], TINY)[:, 0].tolist() == [0.0] + [1.0] * 49
    with pytest.raises(PolicyError, match="ended 10 control periods ago"):
        ahead(chunk, 10**9 + round(60 * 1e9 * TINY.control_period_s), TINY)


def test_a_live_imagination_is_that_of_the_world_model(run: Path) -> None:
    live = LiveImagination(run, TINY, steps=1, trust=True)
    actions = np.zeros((TINY.chunk_size, TINY.action_dim), np.float32)
    future = live.imagine(_seen(), actions, "sort", seed=3)
    again, other = (live.imagine(_seen(), actions, "sort", seed=seed) for seed in (3, 4))
    assert torch.equal(future.frames, again.frames) and not torch.equal(future.frames, other.frames)
    assert future.advantage == pytest.approx(future.values.mean() - future.value_now, abs=1e-5)
    assert future.advantage_bin == int(np.floor((future.advantage + 1) * 5)) + 1 and 0 < future.trust < 1
    pictures = future.pictures()
    assert len(pictures) == 25 and pictures[0].shape[0] > 144 + 48
    assert (pictures[0][-48:] != pictures[-1][-48:]).any(), "the curve grows"


@pytest.fixture(scope="module")
def deployment(run: Path) -> Iterator[Deployment]:
    running = Deployment(run / "policy", "--imagination", str(run))
    try:
        running.listen(Image, "imagination/image", qos.SENSOR)
        running.listen(ImaginedValue, "imagination/value", qos.EVENT)
        running.listen(Marker, "imagination/marker", qos.EVENT)
        running.listen(ActionChunk, "policy/action_chunk", qos.EVENT)
        running.spin_until(lambda: running.heard["policy/action_chunk"])
        yield running
    finally:
        running.close()


UNSEEN = ("missing or stale", "nothing before", "s old, at most", "has said nothing", "control periods ago")
"""In what the node says where it did not see robot or policy in time; on a busy machine that happens."""


class Client:
    """Sends goals to the node of a deployment."""

    def __init__(self, running: Deployment) -> None:
        self.running, self.stages = running, []
        self.client = ActionClient(running.node, ImagineChunk, "imagine_chunk")
        assert self.client.wait_for_server(timeout_sec=60.0)

    def ask(self, goal: ImagineChunk.Goal) -> Any:
        """The handle of an accepted goal; a node that still loads is asked again."""
        while True:
            self.stages = stages = []  # of this goal; feedback to one before may still arrive
            sent = self.client.send_goal_async(
                goal, feedback_callback=lambda m, stages=stages: stages.append(m.feedback)
            )
            self.running.spin_until(sent.done)
            if sent.result().accepted:
                return sent.result()

    def result(self, goal: ImagineChunk.Goal) -> ImagineChunk.Result:
        """What the node answers once it has seen the robot; a busy machine may miss an observation."""
        for _ in range(100):
            done = self.ask(goal).get_result_async()
            self.running.spin_until(done.done)
            result = done.result().result
            if not any(reason in result.message for reason in UNSEEN):
                break
        return result


@pytest.fixture(scope="module")
def client(deployment: Deployment) -> Client:
    """Of a node that has seen as much as its world model asks for."""
    client = Client(deployment)
    client.result(ImagineChunk.Goal())
    for name in ("imagination/image", "imagination/value", "imagination/marker"):
        deployment.heard[name].clear()
    return client


def test_the_policys_chunk_is_imagined_frame_by_frame(deployment: Deployment, client: Client) -> None:
    result = client.result(ImagineChunk.Goal(seed=1))
    assert result.message == "" and len(result.values) == 25 and result.policy_version.startswith("untrained-")
    assert result.advantage == pytest.approx(np.mean(result.values) - result.value_now, abs=1e-5)
    assert 1 <= result.advantage_bin <= 10 and np.isnan(result.trust) and result.seconds > 0
    shown = deployment.heard["imagination/value"]  # those of the goal before may still arrive
    deployment.spin_until(lambda: [message.frame for message in shown[-25:]] == list(range(1, 26)))
    values = shown[-25:]
    np.testing.assert_allclose([message.value for message in values], result.values)
    stamps = [conversions.stamp_of(message) for message in values]
    assert set(np.diff(stamps)) == {round(2e9 * TINY.control_period_s)}
    image = deployment.newest("imagination/image")
    assert image.encoding == "rgb8" and len(image.data) == image.step * image.height
    assert deployment.newest("imagination/marker").header.frame_id == "base_link"
    assert [feedback.stage for feedback in client.stages[:2]] == ["observing", "imagining"]
    for _ in range(10):  # the last feedback may arrive after the result, and rclpy then drops it
        if client.stages[-1].progress > 0.999:
            break
        client.result(ImagineChunk.Goal(seed=1))
    assert client.stages[-1].progress > 0.999


def test_a_chunk_of_another_robot_is_refused_and_the_next_one_answered(client: Client) -> None:
    positions = np.zeros(3 * TINY.action_dim)
    wrong = ActionChunk(joint_names=["a"] * 14, dt=TINY.control_period_s, chunk_size=3, positions=positions)
    result = client.result(ImagineChunk.Goal(chunk=wrong))
    assert "are not those of the contract" in result.message and not result.values
    right = conversions.chunk_message(Chunk(0, np.zeros((3, TINY.action_dim)), "by hand"), TINY)
    result = client.result(ImagineChunk.Goal(chunk=right, steps=2))
    assert result.message == "" and result.policy_version == "by hand"


def test_a_goal_can_be_cancelled_while_it_is_shown(deployment: Deployment, client: Client) -> None:
    shown = deployment.heard["imagination/value"]
    for _ in range(100):  # a busy machine may miss an observation, or show all before it hears of the cancellation
        before = len(shown)
        handle = client.ask(ImagineChunk.Goal(seed=2))
        done = handle.get_result_async()
        deployment.spin_until(
            lambda before=before, done=done: 1 in [each.frame for each in shown[before:]] or done.done()
        )
        deployment.spin_until(handle.cancel_goal_async().done)
        deployment.spin_until(done.done)
        if "ended before all frames were shown" in done.result().result.message:
            break
    assert done.result().status == GoalStatus.STATUS_CANCELED
    frames = [each.frame for each in shown[before:]]
    assert 25 not in frames[frames.index(1) :]


def test_the_node_ends_with_the_others(deployment: Deployment) -> None:
    code, printed = deployment.end()
    assert code == 0, printed
