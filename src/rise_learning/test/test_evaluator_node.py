"""Evaluation over ROS topics: episodes counted, bags that hold what the policy saw, another run loaded, cancel."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
sys.path.insert(0, str(Path(__file__).parent))

from rclpy.action import ActionClient
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_helpers import TINY, Deployment, json_line
from sensor_msgs.msg import CompressedImage, JointState
from synthetic import save_untrained

from rise_learning.data.loading import load_bags
from rise_learning.nodes.live_policy import policy_input
from rise_msgs.action import Evaluate
from rise_msgs.msg import ActionChunk, EpisodeStatus, PolicyStatus
from rise_robot.core.observation_buffer import ObservationBuffer
from rise_robot.nodes import qos
from rise_robot.nodes.conversions import stamp_of

EVERY = QoSProfile(depth=2000, reliability=ReliabilityPolicy.BEST_EFFORT)
SIZE, HISTORY = (48, 64), (-3, 0)


class Evaluated:
    """Two recorded and evaluated episodes, and every message that a policy could have heard."""

    def __init__(self, directory: Path) -> None:
        self.policy, self.bags = save_untrained(directory / "policy", "untrained"), directory / "bags"
        options = ("--episodes", "2", "--seed", "5", "--evaluate", "true", "--record", str(self.bags))
        running = Deployment(self.policy, "--real-time", "false", *options)
        try:
            running.listen(ActionChunk, "policy/action_chunk", qos.EVENT)
            running.listen(JointState, "joint_states", EVERY)
            running.listen(EpisodeStatus, "episode/status", qos.LATCHED)
            for camera in TINY.cameras:
                running.listen(CompressedImage, camera.compressed_topic, EVERY)
            running.spin_until(lambda: running.process.poll() is not None)
            self.printed = running.process.stdout.read() if running.process.stdout else ""
            self.code, self.heard = running.process.returncode, running.heard
        finally:
            running.close()


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    return Evaluated(tmp_path_factory.mktemp("evaluated"))


def test_the_episodes_asked_for_are_counted_and_bringup_ends(evaluated: Evaluated) -> None:
    assert evaluated.code == 0, evaluated.printed
    summary = json_line(evaluated.printed)
    assert (summary["episodes"], summary["seeds"]) == (2, [5, 6])
    figures = summary["deployment"]
    assert figures["inferences"] >= 6 and figures["periods"]["policy"] > 60
    stored = json.loads((evaluated.policy / "evaluation_ros.json").read_text())
    assert [result["seed"] for result in stored["results"]] == [5, 6]


def test_simulated_time_waits_for_the_policy(evaluated: Evaluated) -> None:
    """The plan never runs out, however slow this machine: at most 11 periods, and a message on its way."""
    figures = json_line(evaluated.printed)["deployment"]
    assert figures["chunk_age_ms"]["p50"] <= 11 * 1000 / 30 and figures["stale_holds"] == 0


def test_bag_frames_equal_live_frames(evaluated: Evaluated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the stamp of every chunk, what the messages on the wire show is what training makes of the recorder's bag."""
    monkeypatch.setenv("RISE_CACHE", str(tmp_path))
    bag = load_bags([evaluated.bags], SIZE, workers=1)
    assert len(bag.instructions) == 2
    begins = sorted({stamp_of(m) for m in evaluated.heard["episode/status"] if m.state == "started"})
    compared = 0
    for number, begin in enumerate(begins):
        frames = np.flatnonzero(bag.episode_of == number)
        live = _observations(evaluated.heard, begin, bag.instructions[number])
        for frame in frames:
            seen = live.get(round((frame - frames[0]) * 1e3 / 15))
            if seen is not None:
                g = np.array([frame])
                np.testing.assert_array_equal(seen.images.numpy(), bag.history(g, HISTORY))
                np.testing.assert_array_equal(seen.state.numpy(), bag.state[bag.step_of[g]])
                compared += 1
    assert len(begins) == 2 and compared >= 6


def _observations(heard: dict[str, list[Any]], begin: int, instruction: str) -> dict[int, Any]:
    """Policy inputs of an episode by ms since its begin, from messages in the order of their stamps."""
    messages: list[tuple[int, int, Any]] = [(stamp_of(m), 0, m) for m in heard["joint_states"]]
    for camera in TINY.cameras:
        messages += [(stamp_of(m), 1, (camera.name, m)) for m in heard[camera.compressed_topic]]
    messages += [(stamp_of(m), 2, m) for m in heard["policy/action_chunk"]]
    buffer, seen = ObservationBuffer(TINY), {}
    buffer.begin(begin)
    for stamp, kind, message in sorted((m for m in messages if m[0] >= begin), key=lambda m: m[:2]):
        if kind == 0:
            buffer.add_joints(stamp, np.array(message.position))
        elif kind == 1:
            buffer.add_frame(message[0], stamp, bytes(message[1].data))
        else:
            observation = buffer.observation(stamp, HISTORY)
            seen[round((stamp - begin) * 1e-6)] = policy_input(observation, TINY, SIZE, instruction, 10)
    return seen


@pytest.fixture
def robot(tmp_path: Path) -> Iterator[Deployment]:
    """A robot with policy "first" of tmp_path/one, and an evaluator that waits for goals."""
    save_untrained(tmp_path / "one" / "policy", "first")
    running = Deployment(tmp_path / "one", "--real-time", "false", "--episodes", "0")
    words = ("--ros-args", "-p", "use_sim_time:=true", "-p", "contract:=contract_tiny.yaml")
    running.evaluator = running.start("rise_learning.nodes.evaluator", *words)  # type: ignore[attr-defined]
    try:
        running.listen(PolicyStatus, "policy/status", qos.LATCHED)
        yield running
    finally:
        running.close()


def test_action_loads_the_run_asked_for_and_can_be_cancelled(robot: Deployment, tmp_path: Path) -> None:
    save_untrained(tmp_path / "two" / "imitation", "second", seed=1)
    client, feedback = ActionClient(robot.node, Evaluate, "evaluate"), []
    robot.spin_until(client.server_is_ready)
    goal = Evaluate.Goal(run=str(tmp_path / "two"), policy="imitation", episodes=50, seed=3, advantage_bin=4)
    sent = client.send_goal_async(goal, feedback_callback=feedback.append)
    robot.spin_until(sent.done)
    assert sent.result().accepted
    refused = client.send_goal_async(goal)
    robot.spin_until(refused.done)
    assert not refused.result().accepted, "one evaluation at a time"
    # an episode may be over before this node is discovered
    robot.spin_until(lambda: feedback and robot.heard["policy/status"])
    newest = robot.heard["policy/status"][-3:]
    assert {(status.policy_version.partition("-")[0], status.advantage_bin) for status in newest} == {("second", 4)}
    assert feedback[0].feedback.episode == 1 and feedback[0].feedback.eta_s > 0
    robot.spin_until(sent.result().cancel_goal_async().done)
    answer = sent.result().get_result_async()
    robot.spin_until(answer.done)
    result = answer.result().result
    assert 1 <= result.episodes < 50 and "cancelled" in result.message
    assert json.loads(Path(result.report).read_text())["episodes"] == result.episodes
    os.killpg(robot.evaluator.pid, signal.SIGINT)  # type: ignore[attr-defined]
    assert robot.evaluator.wait(timeout=20) == 0  # type: ignore[attr-defined]
    code, printed = robot.end()
    assert code == 0, printed
