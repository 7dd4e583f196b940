"""Deployment: live frames equal bag frames, and the policy node drives the simulated robot through the ensembler."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rise_learning.data.loading import load_bags
from rise_learning.nodes.live_policy import LivePolicy, policy_input
from rise_learning.policy.checkpoint import save_policy
from rise_learning.policy.config import PolicyConfig
from rise_learning.policy.flow_policy import FlowPolicy
from rise_robot import collect
from rise_robot.bag.reader import read_episodes
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ContractMismatchError
from rise_robot.core.observation_buffer import ObservationBuffer

TINY = Contract.load(config_path("contract_tiny.yaml"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained policy: what it does is nonsense, how it is run is not."""
    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("policy")
    config = PolicyConfig(channels=(4, 4, 4), view_features=8, width=32, blocks=1, basis_size=16)
    save_policy(directory, FlowPolicy(config), TINY, None, "untrained")
    return directory


def test_live_frames_equal_bag_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message of an episode goes through the live buffer; at each frame both sides see the same numbers."""
    monkeypatch.setenv("RISE_CACHE", str(tmp_path / "cache"))
    collect.collect(collect.CollectConfig(episodes=1), TINY, tmp_path / "bag", progress=False)
    size, history = (48, 64), (-3, 0)
    bag = load_bags([tmp_path / "bag"], size, workers=1)
    (episode,) = read_episodes(tmp_path / "bag")
    joints = zip(episode.joint_stamps, episode.joint_positions, strict=True)
    messages = [(int(stamp), "", position) for stamp, position in joints]
    for camera, (stamps, files) in episode.images.items():
        messages += [(int(stamp), camera, file) for stamp, file in zip(stamps, files, strict=True)]
    messages.sort(key=lambda message: (message[0], message[1] == ""))
    buffer, frame = ObservationBuffer(TINY), 0
    buffer.begin(int(episode.joint_stamps[0]))
    for stamp, camera, content in messages:
        buffer.add_frame(camera, stamp, content) if camera else buffer.add_joints(stamp, content)
        if camera or stamp != int(episode.joint_stamps[2 * frame]):
            continue
        live = policy_input(buffer.observation(stamp, history), TINY, size, episode.instruction, 10)
        g = np.array([frame])
        np.testing.assert_array_equal(live.images.numpy(), bag.history(g, history))
        np.testing.assert_array_equal(live.state.numpy(), bag.state[bag.step_of[g]])
        frame += 1
        if frame == len(bag):
            break
    assert frame == len(bag) > 30


def test_checkpoint_of_another_contract_is_refused(checkpoint: Path) -> None:
    other = Contract.load(config_path("contract.yaml"))
    with pytest.raises(ContractMismatchError, match="agilex_piper_bimanual_tiny.*agilex_piper_bimanual|agilex_piper"):
        LivePolicy(checkpoint, other, advantage_bin=10, flow_steps=2, guidance=1.0, seed=0)


class Deployment:
    """Bringup with the policy, and a listener, in a DDS domain of their own."""

    def __init__(self, checkpoint: Path) -> None:
        import rclpy
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor

        self.domain = random.SystemRandom().randint(10, 100)
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        words = ["--contract", "contract_tiny.yaml", "--bricks", "1", "--commander", "policy", "--policy", checkpoint]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rise_robot.bringup", *map(str, words)],
            env=os.environ | {"ROS_DOMAIN_ID": str(self.domain)}, start_new_session=True,
        )  # fmt: skip
        self.context = Context()
        rclpy.init(context=self.context, domain_id=self.domain)
        self.node = rclpy.create_node("listener", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = defaultdict(list)

    def listen(self, kind: type, topic: str, profile: Any) -> None:
        self.node.create_subscription(kind, topic, self.heard[topic].append, profile)

    def spin_until(self, condition: Any, timeout_s: float = 40.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            counts = {topic: len(messages) for topic, messages in self.heard.items()}
            assert time.monotonic() < end, f"not within {timeout_s} s; heard {counts}"
            self.executor.spin_once(timeout_sec=0.05)

    def take_control(self, mode: str) -> None:
        from rise_msgs.srv import SetControl

        client = self.node.create_client(SetControl, "control/set")
        assert client.wait_for_service(timeout_sec=10.0)
        future = client.call_async(SetControl.Request(mode=mode))
        self.spin_until(future.done)
        assert future.result().success

    def policy_process(self) -> int:
        words = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return next(int(line.split()[0]) for line in words if "nodes.policy" in line)

    def close(self) -> None:
        import rclpy

        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.executor.shutdown()
        rclpy.try_shutdown(context=self.context)


@pytest.fixture(scope="module")
def deployment(checkpoint: Path) -> Iterator[Deployment]:
    pytest.importorskip("rclpy")
    from rise_msgs.msg import ActionChunk, ControlStatus, PolicyStatus
    from rise_robot.nodes import qos

    running = Deployment(checkpoint)
    try:
        running.listen(ActionChunk, "policy/action_chunk", qos.EVENT)
        running.listen(PolicyStatus, "policy/status", qos.LATCHED)
        running.listen(ControlStatus, "control/status", qos.LATCHED)
        running.spin_until(lambda: len(running.heard["policy/action_chunk"]) >= 6)
        yield running
    finally:
        running.close()


def test_chunks_answer_observations_and_are_executed(deployment: Deployment) -> None:
    chunk = deployment.heard["policy/action_chunk"][-1]
    assert tuple(chunk.joint_names) == TINY.joint_names and len(chunk.positions) == 50 * TINY.action_dim
    assert (chunk.policy_version, chunk.advantage_bin) == ("untrained", 10)
    deployment.take_control("policy")
    deployment.spin_until(lambda: deployment.heard["control/status"][-1].mode == "policy")
    deployment.spin_until(lambda: deployment.heard["policy/status"][-1].state == "running")
    status = deployment.heard["policy/status"][-1]
    assert status.inferences >= 3 and 0 < status.latency_s < 1.0
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in deployment.heard["policy/action_chunk"]]
    assert np.median(np.diff(stamps)) >= 0.33, "every ten control periods, unless an episode begins"


def test_policy_that_falls_silent_is_held_then_stopped(deployment: Deployment) -> None:
    statuses, process = deployment.heard["control/status"], deployment.policy_process()
    deployment.take_control("policy")
    deployment.spin_until(lambda: statuses[-1].mode == "policy")
    os.kill(process, signal.SIGSTOP)
    try:
        deployment.spin_until(lambda: statuses[-1].reason.startswith("controlled stop"))
    finally:
        os.kill(process, signal.SIGCONT)
    assert statuses[-1].mode == "hold"
    held = [status for status in statuses if status.reason in ("no chunk in time", "joint feedback older than 0.1 s")]
    assert held and all(status.mode == "hold" for status in held), "held before it was stopped"


def test_ctrl_c_ends_all_with_code_0(deployment: Deployment) -> None:
    os.killpg(deployment.process.pid, signal.SIGINT)
    assert deployment.process.wait(timeout=20) == 0
