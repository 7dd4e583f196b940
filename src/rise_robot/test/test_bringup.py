"""`python -m rise_robot.bringup` as a user has it: real processes over DDS."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy")

from bringup_helpers import CONTRACT, Bringup, Listener, wait_until_gone

from rise_msgs.srv import EndEpisode, SetControl, StartEpisode
from rise_robot.core.contract import Contract
from rise_robot.nodes.conversions import stamp_of

WINDOW_S = 4.0


@pytest.fixture(scope="module")
def robot() -> Iterator[tuple[Bringup, Listener]]:
    """Bringup with the expert, and somebody who has listened for WINDOW_S."""
    bringup = Bringup("--hardware", "sim", "--task", "brick_sorting")
    listener = Listener(bringup.domain)
    try:
        bringup.wait_for("demo: start")
        listener.spin_until(lambda: len(listener.heard["camera/top/image_raw"]) > 1)
        for messages in listener.heard.values():
            del messages[:-1]
        listener.spin(WINDOW_S)
        yield bringup, listener
    finally:
        listener.close()
        if bringup.process.poll() is None:
            bringup.end(signal.SIGKILL)


def test_topics_come_at_their_rates(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    for topic in ("joint_states", "joint_command", "control/status"):
        assert listener.rate(topic) == pytest.approx(CONTRACT.control_rate_hz, rel=0.1), topic
    for camera in CONTRACT.cameras:
        for topic in (camera.topic, camera.compressed_topic, camera.info_topic):
            assert listener.rate(topic) == pytest.approx(camera.rate_hz, rel=0.1), topic
    for node in ("simulated_robot", "trajectory_controller"):
        listener.spin_until(lambda node=node: len(_diagnosed(listener, node)) > 2)
        assert statistics.median(np.diff(_diagnosed(listener, node))) == pytest.approx(1e9, rel=0.2), node


def _diagnosed(listener: Listener, node: str) -> list[int]:
    """Stamps of what a node said of itself, ns."""
    return [stamp_of(array) for array in listener.heard["/diagnostics"] if array.status[0].name == node]


def test_messages_are_those_of_the_contract(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    assert Contract.from_yaml(listener.newest("contract").data) == CONTRACT
    for topic in ("joint_states", "joint_command"):
        assert tuple(listener.heard[topic][-1].name) == CONTRACT.joint_names
    picture = listener.newest("camera/top/image_raw")
    assert (picture.height, picture.width, picture.encoding) == (96, 128, "rgb8")
    assert picture.header.frame_id == "top_optical_frame"
    pictures = {stamp_of(message) for message in listener.heard["camera/top/image_raw"]}
    joints = {stamp_of(message) for message in listener.heard["joint_states"]}
    assert len(pictures & joints) >= 0.7 * len(pictures), "one instant, one stamp (best effort may lose some)"


def test_episode_runs_and_a_second_one_is_refused(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    listener.spin_until(lambda: listener.newest("episode/status").state in ("started", "running"))
    status = listener.newest("episode/status")
    assert (status.task, status.kind) == ("brick_sorting", "demonstration") and status.instruction
    answer = listener.call(StartEpisode, "episode/start", kind="rollout", seed=1)
    if answer.success:  # the first one had just ended
        answer = listener.call(StartEpisode, "episode/start", kind="rollout", seed=1)
    assert not answer.success and "end it first" in answer.message


def test_emergency_stop_latches_and_the_robot_stays(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    assert listener.call(SetControl, "control/set", mode="estop", reason="test").success
    listener.spin_until(lambda: listener.newest("control/status").mode == "estop")
    listener.spin(0.5)
    positions = [message.position for message in listener.heard["joint_command"][-3:]]
    assert positions[0] == positions[1] == positions[2]
    refused = listener.call(SetControl, "control/set", mode="demo")
    assert not refused.success and "latched" in refused.message
    assert not listener.call(SetControl, "control/set", mode="autopilot").success
    assert listener.call(SetControl, "control/set", mode="demo", reset_estop=True).mode == "demo"


def test_episode_is_ended_and_started_by_service(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    running = listener.newest("episode/status")
    if running.state in ("started", "running"):
        assert listener.call(EndEpisode, "episode/end", outcome="failure").outcome == "failure"
    answer = listener.call(StartEpisode, "episode/start", kind="demonstration", seed=41)
    assert answer.success, answer.message
    listener.spin_until(lambda: listener.newest("episode/status").episode_id == answer.episode_id)
    assert listener.newest("episode/status").seed == 41


def test_ctrl_c_ends_all_with_code_0(robot: tuple[Bringup, Listener]) -> None:
    """Ctrl-C twice, as impatient people do; the last command is one to stay, and nothing is left behind."""
    bringup, listener = robot
    children = bringup.children()
    assert set(children) == {"simulated_robot", "trajectory_controller", "lifecycle_manager"}
    os.killpg(bringup.process.pid, signal.SIGINT)
    begin = time.monotonic()
    assert bringup.end() == 0
    assert time.monotonic() - begin < 10
    wait_until_gone(list(children.values()))
    listener.spin(0.3)
    assert listener.newest("control/status").mode == "hold"
    assert "Traceback" not in "".join(bringup.printed)


def test_after_a_controlled_stop_the_next_episode_has_its_expert_and_a_person_is_not_overruled() -> None:
    bringup = Bringup("--hardware", "sim")
    listener = Listener(bringup.domain)
    try:
        bringup.wait_for("demo: start")
        robot = bringup.children()["simulated_robot"]
        os.kill(robot, signal.SIGSTOP)
        bringup.wait_for("hold: controlled stop: joint feedback")
        os.kill(robot, signal.SIGCONT)
        listener.call(EndEpisode, "episode/end", outcome="failure")
        bringup.wait_for("demo: the next episode")
        listener.spin_until(lambda: listener.newest("episode/status").seed == 1)
        assert listener.call(SetControl, "control/set", mode="hold").success
        listener.call(EndEpisode, "episode/end", outcome="failure")
        listener.spin_until(lambda: listener.newest("control/status").mode == "hold")
        listener.spin(3.0)  # a pause is 1 s
        assert listener.newest("episode/status").state == "ended"
        assert listener.call(SetControl, "control/set", mode="demo").success
        listener.spin_until(lambda: listener.newest("episode/status").seed == 2)
    finally:
        listener.close()
        bringup.end(signal.SIGKILL)


def test_a_node_that_dies_ends_all_with_another_code() -> None:
    bringup = Bringup("--commander", "none")
    try:
        bringup.wait_for("hold: ")
        children = bringup.children()
        os.kill(children["trajectory_controller"], signal.SIGKILL)
        assert bringup.wait() == 1
        wait_until_gone(list(children.values()))
    finally:  # what is left running would talk to later tests
        if bringup.process.poll() is None:
            os.killpg(bringup.process.pid, signal.SIGKILL)
    assert any("trajectory_controller ended with exit code -9" in line for line in bringup.printed)


def test_nodes_do_not_outlive_a_killed_bringup() -> None:
    bringup = Bringup("--commander", "none")
    bringup.wait_for("hold: ")
    children = bringup.children()
    assert len(children) == 3
    bringup.end(signal.SIGKILL)
    wait_until_gone(list(children.values()))


def test_parameter_with_a_typing_error_is_an_error() -> None:
    command = [sys.executable, "-m", "rise_robot.nodes.trajectory_controller", "--ros-args", "-p", "stop_after:=2.0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "unknown parameters ['stop_after']" in result.stderr and "stop_after_s" in result.stderr
