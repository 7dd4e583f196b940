"""DAgger over DDS: a policy commands, a person takes over with a gamepad, gives back, again; the bag shows all of it.

The gamepad is a pipe into which the test writes what the kernel would: `struct input_event`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState, Joy

from rise_msgs.msg import ActionChunk, ControlStatus, EpisodeStatus
from rise_robot.bag.episode import Episode
from rise_robot.bag.reader import read_episodes
from rise_robot.core.chunk import Chunk
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import TeleoperationError
from rise_robot.core.resampling import resample_episode
from rise_robot.nodes import conversions, qos
from rise_robot.nodes.joy_device import JoyDevice
from rise_robot.teleop.evdev import AXES, EV_ABS, EV_KEY, EVENT, KEYS

TINY = "contract_tiny.yaml"
CONTRACT = Contract.load(config_path(TINY))
CODES = {name: (EV_KEY, code) for code, name in KEYS.items()} | {name: (EV_ABS, code) for code, name in AXES.items()}


class Lab:
    """Robot, controller, recorder and teleoperation as processes; a policy that wants to stay, here."""

    def __init__(self, bags: Path) -> None:
        rclpy.init()
        self.node = rclpy.create_node("lab")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.control: list[ControlStatus] = []
        self.episodes: list[EpisodeStatus] = []
        self.command, self._states = np.zeros(CONTRACT.action_dim), 0
        self.node.create_subscription(ControlStatus, "control/status", self.control.append, qos.LATCHED)
        self.node.create_subscription(EpisodeStatus, "episode/status", self.episodes.append, qos.LATCHED)
        self.node.create_subscription(JointState, "joint_command", self._on_command, qos.COMMAND)
        self.node.create_subscription(JointState, "joint_states", self._on_joints, qos.SENSOR)
        self._chunks = self.node.create_publisher(ActionChunk, "policy/action_chunk", qos.COMMAND)
        os.mkfifo(bags / "pad")
        self._pad = os.open(bags / "pad", os.O_RDWR)
        self.processes = [
            self._start("recorder", out=bags, session="dagger"),
            self._start("trajectory_controller", initial_mode="policy", resume_after_jump="true", stop_after_s=60.0),
            self._start("simulated_robot", bricks=4),
            self._start("teleoperation", device="gamepad", path=bags / "pad"),
        ]

    def press(self, control: str, value: int = 1) -> None:
        kind, code = CODES[control]
        os.write(self._pad, EVENT.pack(0, 0, kind, code, value) + EVENT.pack(0, 0, 0, 0, 0))

    def tap(self, control: str) -> None:
        self.press(control)
        self.press(control, 0)

    def until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"control {self.control[-1:]}, episode {self.episodes[-1:]}"
            self.executor.spin_once(timeout_sec=0.05)

    def until_commands(self, mode: str, periods: int = 10) -> None:
        """`mode` has commanded in so many of the periods from now on."""
        begin = len(self.control)
        self.until(lambda: sum(status.mode == mode for status in self.control[begin:]) >= periods)

    def tap_until(self, control: str, mode: str) -> None:
        self.tap(control)
        self.until_commands(mode)

    def end(self) -> list[int]:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGINT)
        return [process.wait(timeout=30) for process in self.processes]

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        os.close(self._pad)
        self.executor.shutdown()
        rclpy.shutdown()

    def _start(self, node: str, **parameters: object) -> subprocess.Popen[bytes]:
        words = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
        command = [sys.executable, "-m", f"rise_robot.nodes.{node}", "--ros-args", "-p", f"contract:={TINY}", *words]
        return subprocess.Popen(command, start_new_session=True)

    def _on_command(self, message: JointState) -> None:
        self.command = conversions.positions_of(message, CONTRACT)

    def _on_joints(self, message: JointState) -> None:
        self._states += 1
        if self._states % 10 == 0:
            stay = np.tile(conversions.positions_of(message, CONTRACT), (CONTRACT.chunk_size, 1))
            self._chunks.publish(conversions.chunk_message(Chunk(conversions.stamp_of(message), stay), CONTRACT))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Episode, list[int], np.ndarray]]:
    """The episode in the bag, the exit codes of all nodes, and how far the person moved the joints (A,)."""
    bags = tmp_path_factory.mktemp("bags")
    lab = Lab(bags)
    try:
        lab.until_commands("policy")
        lab.until(lambda: lab.node.get_publishers_info_by_topic("control/emergency_stop"))
        lab.tap("BTN_START")
        lab.until(lambda: lab.episodes and lab.episodes[-1].state == "started")
        lab.until_commands("policy")
        lab.tap_until("BTN_TR", "human")
        before = lab.command
        lab.press("ABS_RY", -32768)
        lab.until(lambda: np.abs(lab.command - before).max() > 0.1)
        lab.press("ABS_RY", 0)
        moved = lab.command - before
        lab.tap_until("BTN_TL", "policy")
        lab.tap_until("BTN_TR", "human")
        lab.tap_until("BTN_TL", "policy")
        lab.tap("BTN_SOUTH")
        lab.until(lambda: lab.episodes[-1].outcome == "success")
        codes = lab.end()
    finally:
        lab.close()
    (episode,) = read_episodes(bags / "dagger")
    yield episode, codes, moved


def test_episode_is_started_and_judged_by_keys(recorded: tuple[Episode, list[int], np.ndarray]) -> None:
    episode, codes, _ = recorded
    assert (episode.kind, episode.outcome) == ("dagger", "success")
    assert codes == [0, 0, 0, 0]


def test_every_frame_says_who_commanded(recorded: tuple[Episode, list[int], np.ndarray]) -> None:
    episode, _, _ = recorded
    changes = np.diff(episode.human.astype(int))
    assert (changes == 1).sum() >= 2, "taken over twice"
    assert not episode.human[0] and not episode.human[-1]
    grid = resample_episode(episode)
    assert 10 <= grid.human.sum() < len(grid.human), "as learning reads it"


def test_only_the_arm_of_the_person_moved_and_no_hand_over_jumped(
    recorded: tuple[Episode, list[int], np.ndarray],
) -> None:
    episode, _, moved = recorded
    assert np.abs(moved[:7]).max() > 0.1 and np.abs(moved[7:]).max() < 0.02
    seconds = np.diff(episode.command_stamps)[:, None] * 1e-9
    velocity = np.abs(np.diff(episode.commands, axis=0)) / seconds
    in_episode = episode.command_stamps[1:] > episode.start_ns + 10**9  # before, the robot was reset
    assert (velocity[in_episode] <= CONTRACT.joint_array("max_velocity") * 1.01).all()


def test_joy_messages_are_events_and_their_silence_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    rclpy.init()
    node = rclpy.create_node("joy_listener")
    device = JoyDevice(node)
    for axes, buttons in (([0.0, 0.0], [0]), ([0.0, 0.7], [1]), ([0.0, 0.7], [0])):
        device._on_joy(Joy(axes=axes, buttons=buttons))
    names = [(event.control, pytest.approx(event.value)) for event in device.poll()]
    assert names == [("AXIS_1", 0.7), ("BUTTON_0", 1.0), ("BUTTON_0", 0.0)]
    monkeypatch.setattr("rise_robot.nodes.joy_device.SILENCE_S", -1.0)
    with pytest.raises(TeleoperationError, match="joy has been silent"):
        device.poll()
    device.close()
    node.destroy_node()
    rclpy.shutdown()
