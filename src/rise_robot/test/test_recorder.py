"""The live recorder over real DDS: its bags and those of `collect` are the same kind of thing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from rosbags.rosbag2 import Reader

from rise_robot import collect
from rise_robot.bag import recover, schema
from rise_robot.bag.reader import BagReader, read_episodes
from rise_robot.bag.validation import stream_reports
from rise_robot.collect import CollectConfig
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.resampling import resample_episode
from rise_robot.nodes.recorder import message_class

DOMAIN = str(40 + os.getpid() % 60)
TINY = "contract_tiny.yaml"


def start(node: str, **parameters: object) -> subprocess.Popen:
    arguments = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
    environment = os.environ | {"ROS_DOMAIN_ID": DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    command = [sys.executable, "-m", f"rise_robot.nodes.{node}", "--ros-args", "-p", f"contract:={TINY}", *arguments]
    return subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen, text: str) -> None:
    """Until the process has logged `text`."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the process ended with {process.wait()} and never logged {text!r}")


def end(process: subprocess.Popen, number: int = signal.SIGINT, times: int = 1) -> int:
    """Signal the whole group, as a terminal does."""
    for _ in range(times):
        os.killpg(process.pid, number)
    return process.wait(timeout=20)


@pytest.fixture(scope="module")
def bags(tmp_path_factory) -> tuple[Path, Path, int]:
    """A bag of the recorder, one of `collect`, and the recorder's exit code after two SIGINTs.

    In simulated time, so that a busy machine does not show as stale streams.
    """
    out = tmp_path_factory.mktemp("bags")
    recorder = start("recorder", out=out, session="live", use_sim_time="true")
    wait_for(recorder, "recording to")
    controller = start("trajectory_controller", initial_mode="demo", resume_after_jump="true", use_sim_time="true")
    expert = {"commander": "expert", "episodes": 1, "bricks": 1}
    robot = start("simulated_robot", **expert, real_time="false", wait_for_recorder="true")
    wait_for(robot, "success")
    robot.wait(timeout=20)
    code = end(recorder, times=2)
    end(controller)
    contract = Contract.load(config_path(TINY))
    collect.collect(CollectConfig(episodes=1), contract, out / "collected", progress=False)
    return out / "live", out / "collected", code


def test_repeated_interrupts_end_the_recorder_with_code_0(bags):
    assert bags[2] == 0
    assert (bags[0] / "metadata.yaml").is_file()


def test_topics_types_and_contract_are_those_of_collect(bags):
    described = []
    for bag in bags[:2]:
        with Reader(bag) as reader:
            described.append({c.topic: (c.msgtype, c.digest, c.ext.offered_qos_profiles) for c in reader.connections})
    assert described[0] == described[1]
    with BagReader(bags[0]) as live, BagReader(bags[1]) as collected:
        assert live.contract == collected.contract == Contract.load(config_path(TINY))


def test_rates_are_those_of_collect(bags):
    live, collected = (stream_reports(next(read_episodes(bag))) for bag in bags[:2])
    assert live.keys() == collected.keys()
    for topic, report in collected.items():
        assert live[topic].rate_hz == pytest.approx(report.rate_hz, rel=0.1), topic


def test_the_same_seed_shows_the_same_task_live_and_collected(bags):
    live, collected = (next(read_episodes(bag)) for bag in bags[:2])
    assert (live.task, live.instruction, live.kind, live.outcome) == (
        collected.task,
        collected.instruction,
        collected.kind,
        collected.outcome,
    )
    assert [event.name for event in live.events] == [event.name for event in collected.events]
    assert len(resample_episode(live)) == pytest.approx(len(resample_episode(collected)), rel=0.25)
    assert not live.human.any() and np.isfinite(live.commands).all()


def test_type_hashes_equal_those_on_the_wire():
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(DOMAIN) + 1)
    node = rclpy.create_node("hashes", context=context)
    for spec in schema.topics(Contract.load(config_path(TINY))):
        node.create_publisher(message_class(spec.msgtype), spec.name, 1)
        (info,) = node.get_publishers_info_by_topic(spec.name)
        assert schema.typestore().hash_rihs01(spec.msgtype) == str(info.topic_type_hash), spec.msgtype
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_a_killed_recorder_leaves_a_bag_that_recover_repairs(tmp_path):
    recorder = start("recorder", out=tmp_path, session="killed")
    wait_for(recorder, "recording to")
    robot = start("simulated_robot", commander="none")
    wait_for_size(tmp_path / "killed" / "killed.mcap", 200_000)
    assert end(recorder, signal.SIGKILL) == -signal.SIGKILL
    end(robot)
    assert recover.main([str(tmp_path / "killed")]) == 0
    with Reader(tmp_path / "killed") as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
    assert counts["/joint_states"] > 10 and counts["/camera/top/image_raw/compressed"] > 5


def wait_for_size(file: Path, size: int) -> None:
    deadline = time.monotonic() + 30
    while not file.exists() or file.stat().st_size < size:
        assert time.monotonic() < deadline, f"{file} did not grow to {size} bytes"
        time.sleep(0.05)


def test_a_session_that_exists_is_refused_with_code_1(tmp_path):
    (tmp_path / "there").mkdir()
    recorder = start("recorder", out=tmp_path, session="there")
    wait_for(recorder, "exists already")
    assert recorder.wait(timeout=20) == 1
