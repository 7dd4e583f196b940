"""`python -m rise_robot.emulated_piper`: channels, faults on command, a driver at the other end of udp_multicast."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from rise_robot.core.errors import HardwareError
from rise_robot.emulated_piper import channels, main, parse
from rise_robot.hardware.can_bus import open_bus
from rise_robot.hardware.emulated_channels import GROUP, emulated_channel
from rise_robot.hardware.piper_port import GRIPPER_FRAME, JOINT_FRAMES, PiperPort


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """Channel of one arm that runs in a process of its own."""
    place = f"{GROUP}:{random.SystemRandom().randint(44000, 48000)}"
    command = [sys.executable, "-m", "rise_robot.emulated_piper", "--arms", "left", "--channels", f"left={place}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and place in process.stdout.readline()
    yield place
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0, "Ctrl-C twice is no failure"


def heard(port: PiperPort, *frames: int, timeout_s: float = 20.0) -> bool:
    """Whether these frames come within a second of each other."""
    end = time.monotonic() + timeout_s
    while port.age_s(frames) > 1.0 and time.monotonic() < end:
        time.sleep(0.01)
        port.read()
    return port.age_s(frames) <= 1.0


def test_the_driver_hears_it_and_faults_come_and_go_on_command(place: str) -> None:
    port = PiperPort("udp_multicast", place, "current", time.monotonic_ns)
    try:
        assert heard(port, *JOINT_FRAMES, GRIPPER_FRAME)
        to_it = ["--arms", "left", "--channels", f"left={place}", "--fault"]
        assert main([*to_it, "silence"]) == 0
        end = time.monotonic() + 20.0
        while port.age_s(JOINT_FRAMES) < 0.5:
            assert time.monotonic() < end, "it did not fall silent"
            time.sleep(0.02)
            port.read()
        assert main([*to_it, "clear"]) == 0
        assert heard(port, *JOINT_FRAMES, GRIPPER_FRAME)
        while not port.firmware():
            assert time.monotonic() < end + 20.0
            time.sleep(0.05)
            port.read()
        assert port.firmware() == "S-V1.8-5"
    finally:
        port.close()


def test_channels_are_those_given_or_of_the_ros_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "3")
    assert channels(["left", "right"], ["left=vcan0"]) == {"left": "vcan0", "right": f"{GROUP}:6007"}
    monkeypatch.delenv("ROS_DOMAIN_ID")
    assert emulated_channel("left") == f"{GROUP}:6000"
    assert emulated_channel("left", leader=True) == f"{GROUP}:6500"


def test_no_two_arms_of_any_domain_meet_nor_does_an_arm_meet_dds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A participant of Fast DDS had taken the port of the left leader of domain 100."""
    ports = []
    for domain in range(233):
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        told = [emulated_channel(arm, leader) for arm in ("left", "right") for leader in (False, True)]
        ports += [int(channel.rpartition(":")[2]) for channel in told]
    assert len(set(ports)) == len(ports) and min(ports) > 1024 and max(ports) < 7000


def test_it_can_be_started_by_launch() -> None:
    """ros2 launch adds ROS arguments to everything that it starts."""
    assert parse(["--arms", "left", "--ros-args", "-r", "__ns:=/cell"]).arms == ["left"]


@pytest.mark.parametrize(("words", "message"), [(["--fault", "explode"], "unknown fault 'explode'")])
def test_what_cannot_be_is_said_with_exit_code_1(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert message in capsys.readouterr().err


def test_a_channel_that_is_not_there_is_named_with_its_cure() -> None:
    name = f"can{os.getpid() % 1000}"
    with pytest.raises(HardwareError, match=rf"'{name}' of socketcan.*ip link set {name} up type can bitrate 1000000"):
        open_bus("socketcan", name)
