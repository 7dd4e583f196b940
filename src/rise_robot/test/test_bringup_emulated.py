"""`python -m rise_robot.bringup --hardware emulated`: emulated arms, CAN frames, driver and controller as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from bringup_helpers import CONTRACT, TINY, Bringup, Listener, wait_until_gone
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from rise_msgs.srv import SetControl
from rise_robot.nodes import conversions, qos
from rise_robot.nodes.conversions import stamp_of

AMPLITUDE = 0.1
GAP_S = 0.1
"""Between two joint states over which the velocity hardly changes."""


@pytest.fixture(scope="module")
def robot() -> Iterator[tuple[Bringup, Listener]]:
    """Both emulated arms, enabled, under a controller that holds them."""
    bringup = Bringup("--hardware", "emulated")
    listener = Listener(bringup.domain)
    try:
        bringup.wait_for("piper_driver]: active")
        listener.spin_until(lambda: listener.heard["joint_states"] and listener.heard["joint_command"], 60.0)
        yield bringup, listener
    finally:
        listener.close()
        if bringup.process.poll() is None:
            bringup.end(signal.SIGKILL)


def run(listener: Listener, module: str, *words: str, domain: int) -> str:
    """What `python -m module words` prints in the robot's domain; messages are heard meanwhile."""
    environment = os.environ | {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words], env=environment, stdout=subprocess.PIPE, text=True
    )
    listener.spin_until(lambda: process.poll() is not None, 90.0)
    printed = process.communicate()[0]
    assert process.returncode == 0, printed
    return printed


def driver_status(listener: Listener) -> tuple[int, str, dict[str, str]]:
    """Level, message and values of the driver's newest diagnostics."""
    found = [s for array in listener.heard["/diagnostics"] for s in array.status if s.name == "piper_driver"]
    if not found:
        return -1, "", {}
    level = int.from_bytes(found[-1].level, "little")
    return level, found[-1].message, {pair.key: pair.value for pair in found[-1].values}


def wait_for_driver(listener: Listener, condition: Callable[[int, str, dict[str, str]], Any]) -> dict[str, str]:
    listener.heard["/diagnostics"].clear()
    listener.spin_until(lambda: condition(*driver_status(listener)), 60.0)
    return driver_status(listener)[2]


def test_a_stream_of_chunks_moves_both_arms(robot: tuple[Bringup, Listener]) -> None:
    bringup, listener = robot
    words = ("--ros-args", "-p", f"contract:={TINY}", "-p", "seconds:=5.0", "-p", f"amplitude:={AMPLITUDE}")
    for _ in range(6):  # a starved machine makes chunks late, and the controller then rightly takes authority away
        figures = json.loads(run(listener, "rise_robot.nodes.motion_check", *words, domain=bringup.domain))
        if figures["mode_at_end"] == "policy":
            break
    assert figures["mode_at_end"] == "policy"
    assert figures["swing_min_rad"] == pytest.approx(AMPLITUDE, rel=0.1), "every joint of both arms"
    assert figures["joint_command"]["gap_p50_ms"] == pytest.approx(1e3 / CONTRACT.control_rate_hz, rel=0.1)
    for faster in ("joint_states", "joint_setpoint"):  # 200 Hz; how many of them a starved machine carries is open
        assert figures[faster]["rate_hz"] > 1.5 * figures["joint_command"]["rate_hz"], faster


def test_joint_states_carry_names_and_true_velocities(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    heard = listener.heard["joint_states"]
    assert tuple(heard[-1].name) == CONTRACT.joint_names
    times = np.array([stamp_of(message) - stamp_of(heard[0]) for message in heard]) * 1e-9
    positions = np.array([message.position for message in heard])
    velocities = np.array([message.velocity for message in heard])
    gap, way = np.diff(times), np.diff(positions[:, 0])
    near = (gap > 0) & (gap < GAP_S)  # a starved machine loses messages
    pace = 0.5 * (velocities[1:, 0] + velocities[:-1, 0])
    told = float((pace**2 * gap)[near].sum())  # not way**2 / gap: stamps of a burst lie closer than the samples do
    assert told > 0.01 * AMPLITUDE**2, "the joint was seen moving"
    assert float((pace * way)[near].sum()) / told == pytest.approx(1.0, abs=0.25)


def test_the_driver_reports_arms_that_are_well(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    values = wait_for_driver(listener, lambda level, message, values: level == 0 and "left/rate_hz" in values)
    for arm in ("left", "right"):
        assert values[f"{arm}/firmware"] == "S-V1.8-5"
        assert float(values[f"{arm}/flange_error_mm"]) < 0.1 and values[f"{arm}/send_failures"] == "0"
        assert values[f"{arm}/temperatures_c"] == "31 31 31 31 31 31"


def test_bad_commands_are_refused_and_counted(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    publisher = listener.node.create_publisher(JointState, "joint_setpoint", qos.offered_command(200.0))
    listener.spin_until(lambda: publisher.get_subscription_count() > 0)
    listener.spin(0.5)
    here = np.array(listener.newest("joint_states").position)

    def send(positions: np.ndarray, names: list[str] | None = None) -> None:
        now = listener.node.get_clock().now().nanoseconds
        message = conversions.joint_state(CONTRACT, now, positions)
        message.name = names or message.name
        publisher.publish(message)
        listener.spin(0.1)

    def counted() -> bool:
        """Sends all three again: the topic keeps one message, and the controller's may take its place."""
        send(here * np.nan)
        send(here, [f"other_{name}" for name in CONTRACT.joint_names])
        send(here + 0.5)
        refused = {name.removeprefix("refused/") for name in driver_status(listener)[2]}
        return {"not_finite", "malformed"} <= refused and bool({"jump", "out_of_limits"} & refused)

    listener.spin_until(counted, 60.0)
    np.testing.assert_allclose(listener.newest("joint_states").position, here, atol=0.01)
    listener.node.destroy_publisher(publisher)


def test_arms_hold_when_the_controller_hangs_and_go_on_with_it(robot: tuple[Bringup, Listener]) -> None:
    bringup, listener = robot
    values = wait_for_driver(listener, lambda level, message, values: level == 0 and "follows" in values)
    assert values["follows"] == "/joint_setpoint"
    controller = bringup.children()["trajectory_controller"]
    os.kill(controller, signal.SIGSTOP)
    try:
        wait_for_driver(listener, lambda level, message, _: level == 1 and "no command: the arms hold" in message)
        target = np.array(listener.newest("joint_states").position)
        listener.heard["joint_states"].clear()
        listener.spin_until(lambda: len(listener.heard["joint_states"]) > 50)
        np.testing.assert_allclose(listener.newest("joint_states").position, target, atol=1e-3)
    finally:
        os.kill(controller, signal.SIGCONT)
    wait_for_driver(listener, lambda level, message, _: level == 0)


def test_an_arm_that_falls_silent_is_an_error_until_the_driver_is_activated_anew(
    robot: tuple[Bringup, Listener],
) -> None:
    bringup, listener = robot
    emulated = "rise_robot.emulated_piper"
    run(listener, emulated, "--arms", "left", "--fault", "silence", domain=bringup.domain)
    wait_for_driver(listener, lambda level, message, _: level == 2 and "left: no " in message)
    listener.spin_until(lambda: listener.newest("control/status").mode == "estop")
    assert "control/emergency_stop" in listener.newest("control/status").reason, "nobody commands a broken robot"
    listener.heard["joint_states"].clear()
    listener.spin(0.5)
    assert not listener.heard["joint_states"], "half a robot is no feedback"
    run(listener, emulated, "--arms", "left", "--fault", "clear", domain=bringup.domain)
    listener.spin_until(lambda: listener.heard["joint_states"])
    wait_for_driver(listener, lambda level, message, values: level == 2 and int(values["refused/fault"]) > 0)
    start_anew(listener)
    assert listener.call(SetControl, "control/set", mode="hold", reset_estop=True).success
    wait_for_driver(listener, lambda level, message, values: level == 0)


def test_the_emergency_stop_ends_parking_and_forbids_it(robot: tuple[Bringup, Listener]) -> None:
    """The controller does not command then; the driver itself has to hear it."""
    _, listener = robot
    assert listener.call(Trigger, "piper_driver/park").success
    assert listener.call(Trigger, "control/emergency_stop").success
    wait_for_driver(listener, lambda level, message, _: level == 2 and "emergency stop" in message)
    start_anew(listener)
    refused = listener.call(Trigger, "piper_driver/park")
    assert not refused.success and "an emergency stop is latched" in refused.message
    assert listener.call(SetControl, "control/set", mode="hold", reset_estop=True).success
    wait_for_driver(listener, lambda level, message, values: level == 0)


def start_anew(listener: Listener) -> None:
    """Take the driver down and up again."""
    for name in ("DEACTIVATE", "CLEANUP", "CONFIGURE", "ACTIVATE"):
        transition = Transition(id=getattr(Transition, f"TRANSITION_{name}"))
        assert listener.call(ChangeState, "piper_driver/change_state", transition=transition).success, name


def test_parking_switches_the_motors_off(robot: tuple[Bringup, Listener]) -> None:
    _, listener = robot
    assert listener.call(Trigger, "piper_driver/park").success
    wait_for_driver(listener, lambda level, message, _: "parked, motors off" in message)
    refused = listener.call(Trigger, "piper_driver/park")
    assert not refused.success and "parking needs an active robot" in refused.message


def test_ctrl_c_ends_all_with_code_0(robot: tuple[Bringup, Listener]) -> None:
    bringup, _ = robot
    children = bringup.children()
    assert set(children) == {"emulated_piper", "piper_driver", "trajectory_controller", "lifecycle_manager"}
    assert bringup.end() == 0
    wait_until_gone(list(children.values()))
    printed = "".join(bringup.printed)
    assert "Traceback" not in printed
    first, then = printed.rindex("trajectory_controller: deactivate"), printed.rindex("piper_driver: deactivate")
    assert first < then, "who commands ends before what obeys"


def test_nodes_that_are_interrupted_at_once_bring_the_arms_to_rest_together() -> None:
    """As `ros2 launch` ends them: the driver follows the controller until it has braked."""
    bringup = Bringup("--hardware", "emulated")
    listener = Listener(bringup.domain)
    environment = os.environ | {"ROS_DOMAIN_ID": str(bringup.domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    words = ("--ros-args", "-p", f"contract:={TINY}", "-p", "seconds:=30.0", "-p", "amplitude:=0.3")
    mover = None

    def pace() -> float:
        """rad/s of the fastest joint that is commanded."""
        last = listener.heard["joint_command"][-2:]
        return float(np.abs(np.diff([each.position for each in last], axis=0)).max()) * CONTRACT.control_rate_hz

    try:
        bringup.wait_for("piper_driver]: active")
        mover = subprocess.Popen(
            [sys.executable, "-m", "rise_robot.nodes.motion_check", *words], env=environment, stdout=subprocess.DEVNULL
        )
        listener.spin_until(lambda: len(listener.heard["joint_command"]) > 1 and pace() > 0.15, 60.0)
        listener.newest("joint_states")
        nodes = bringup.children()
        for name in ("piper_driver", "trajectory_controller"):
            os.kill(nodes[name], signal.SIGINT)
        listener.spin_until(lambda: bringup.process.poll() is not None, 60.0)
        listener.spin(0.5)
        end, reached = (np.array(listener.newest(topic).position) for topic in ("joint_command", "joint_states"))
        np.testing.assert_allclose(reached, end, atol=0.006)
    finally:
        if mover is not None:
            mover.kill()
            mover.wait()
        listener.close()
        if bringup.process.poll() is None:
            bringup.end(signal.SIGKILL)
