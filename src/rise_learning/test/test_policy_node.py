"""Deployment: live frames equal bag frames, and the policy node drives the simulated robot through the ensembler."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
sys.path.insert(0, str(Path(__file__).parent))

from ros_helpers import TINY, Deployment
from sensor_msgs.msg import JointState
from synthetic import save_untrained

from rise_learning.data.loading import load_bags
from rise_learning.errors import PolicyError
from rise_learning.nodes.live_policy import LivePolicy, policy_input
from rise_msgs.msg import ActionChunk, ControlStatus, PolicyStatus
from rise_robot import collect
from rise_robot.bag.reader import read_episodes
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ContractMismatchError
from rise_robot.core.observation_buffer import Observation, ObservationBuffer
from rise_robot.nodes import qos


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained(tmp_path_factory.mktemp("policy"), "untrained")


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
        LivePolicy(checkpoint, other, flow_steps=2, guidance=1.0, seed=0)


def test_an_answer_that_is_not_finite_is_an_error_and_no_chunk(checkpoint: Path) -> None:
    policy = LivePolicy(checkpoint, TINY, flow_steps=2, guidance=1.0, seed=0)
    frames = {camera.name: np.zeros((2, camera.height, camera.width, 3), np.uint8) for camera in TINY.cameras}
    seen = Observation(0, np.full(TINY.action_dim, np.nan, np.float32), frames)
    with pytest.raises(PolicyError, match="untrained-.*: .* not finite"):
        policy.infer(seen, "sort")


@pytest.fixture(scope="module")
def deployment(checkpoint: Path) -> Iterator[Deployment]:
    running = Deployment(checkpoint)
    try:
        running.listen(ActionChunk, "policy/action_chunk", qos.EVENT)
        running.listen(PolicyStatus, "policy/status", qos.LATCHED)
        running.listen(ControlStatus, "control/status", qos.LATCHED)
        running.listen(JointState, "joint_command", qos.COMMAND)
        running.spin_until(lambda: len(running.heard["policy/action_chunk"]) >= 6)
        yield running
    finally:
        running.close()


def test_chunks_answer_observations_and_are_executed(deployment: Deployment) -> None:
    chunk = deployment.newest("policy/action_chunk")
    assert tuple(chunk.joint_names) == TINY.joint_names and len(chunk.positions) == 50 * TINY.action_dim
    assert (chunk.policy_version.partition("-")[0], chunk.advantage_bin) == ("untrained", 10)
    deployment.take_control("policy")
    deployment.spin_until(lambda: deployment.newest("control/status").mode == "policy")
    deployment.spin_until(lambda: deployment.newest("policy/status").state == "running")
    status = deployment.newest("policy/status")
    assert status.inferences >= 3 and 0 < status.latency_s < 1.0
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in deployment.heard["policy/action_chunk"]]
    assert np.median(np.diff(stamps)) >= 0.33, "every ten control periods, unless an episode begins"
    heard = deployment.heard["joint_command"]
    deployment.spin_until(
        lambda: np.ptp([message.position for message in heard], axis=0).max() > 0.05
    )  # the arms follow
    commands = np.array([message.position for message in heard])
    assert np.isfinite(commands).all()
    assert (commands >= TINY.joint_array("lower")).all() and (commands <= TINY.joint_array("upper")).all()


def test_policy_that_falls_silent_is_held_then_stopped(deployment: Deployment) -> None:
    statuses, process = deployment.heard["control/status"], deployment.process_of("nodes.policy")
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
    code, printed = deployment.end()
    assert code == 0, printed
