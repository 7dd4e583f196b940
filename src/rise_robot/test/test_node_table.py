"""bringup.py and the launch files start the same nodes with the same parameters."""

from __future__ import annotations

import runpy
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rise_robot import bringup
from rise_robot.companions import policy_nodes, record_nodes
from rise_robot.core.contract import config_path
from rise_robot.core.errors import LaunchError
from rise_robot.node_table import BringupOptions, bringup_nodes

HARDWARE = ("sim", "emulated", "can")
LAUNCH = Path(config_path("contract.yaml")).parents[1] / "launch"


def test_expert_is_the_default_commander() -> None:
    controller, robot, _ = bringup_nodes(BringupOptions())
    assert (controller.executable, robot.executable) == ("trajectory_controller", "simulated_robot")
    assert controller.parameters["initial_mode"] == "demo"
    assert (robot.parameters["commander"], robot.parameters["episodes"]) == ("expert", -1)


def test_arms_start_before_the_controller_and_so_end_after_it() -> None:
    nodes = bringup_nodes(BringupOptions(hardware="emulated"))
    assert [n.executable for n in nodes[:3]] == ["emulated_piper", "piper_driver", "trajectory_controller"]
    emulated, driver, controller = nodes[:3]
    assert (emulated.module, emulated.parameter_files) == ("rise_robot.emulated_piper", ())
    assert driver.parameters["interface"] == "udp_multicast"
    assert f"left={driver.parameters['left_channel']}" in emulated.arguments
    assert driver.parameters["left_channel"] != driver.parameters["right_channel"]
    assert (controller.parameters["initial_mode"], controller.parameters["resume_after_jump"]) == ("hold", False)


def test_real_arms_are_the_driver_on_their_channels_and_the_same_controller() -> None:
    driver, controller = bringup_nodes(BringupOptions(hardware="can", left_channel="can3", policy="runs/demo"))[:2]
    assert (driver.executable, controller.executable) == ("piper_driver", "trajectory_controller")
    assert (driver.parameters["left_channel"], driver.parameters["right_channel"]) == ("can3", "can_right")
    assert "interface" not in driver.parameters and controller.parameters["initial_mode"] == "policy"


def test_managed_nodes_wait_for_the_manager_which_brings_them_up_in_order() -> None:
    options = BringupOptions(
        hardware="emulated", teleop="leader", cameras="top=clips", record="bags", policy="runs/demo"
    )
    *nodes, manager = bringup_nodes(options)
    order = ["recorder", "piper_driver", "cameras", "trajectory_controller", "leader_driver", "policy"]
    assert (manager.executable, manager.parameters["nodes"].split(",")) == ("lifecycle_manager", order)
    assert [node.name or node.executable for node in nodes if node.parameters.get("autostart") is False] == order


def test_launch_files_that_start_one_node_let_it_start_by_itself() -> None:
    common = {"contract": "contract.yaml", "use_sim_time": "false"}
    for nodes in (
        record_nodes({"out": "bags", "serve_episodes": "false", **common}),
        policy_nodes({"run": "runs/demo", **common}),
    ):
        assert len(nodes) == 1 and "autostart" not in nodes[0].parameters


def test_emulated_channels_of_two_ros_domains_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def channels(domain: str) -> set[str]:
        monkeypatch.setenv("ROS_DOMAIN_ID", domain)
        driver = bringup_nodes(BringupOptions(hardware="emulated"))[1]
        return {driver.parameters["left_channel"], driver.parameters["right_channel"]}

    assert len(channels("7") | channels("8")) == 4


@pytest.mark.parametrize("hardware", ["emulated", "can"])
def test_arms_follow_setpoints_at_the_rate_of_their_feedback(hardware: str) -> None:
    nodes = {node.executable: node for node in bringup_nodes(BringupOptions(hardware=hardware))}
    assert nodes["trajectory_controller"].parameters["setpoint_rate_hz"] == 200.0
    assert nodes["piper_driver"].remappings == (("joint_command", "joint_setpoint"),)
    words = bringup.command_line(nodes["piper_driver"])
    assert words[words.index("-r") + 1] == "joint_command:=joint_setpoint"


def test_who_makes_no_setpoints_is_followed_by_his_commands() -> None:
    """A simulated robot moves at the rate of its commands, and ros2_control publishes joint_command."""
    assert bringup_nodes(BringupOptions())[0].parameters["setpoint_rate_hz"] == 0.0
    nodes = {n.executable: n for n in bringup_nodes(BringupOptions(hardware="emulated", ros2_control=True))}
    assert nodes["piper_driver"].remappings == ()


def test_cameras_deliver_before_the_controller_watches_them() -> None:
    options = BringupOptions(hardware="emulated", cameras="top=/dev/video0,wrist_left=clips/left")
    nodes = {node.executable: node for node in bringup_nodes(options)}
    assert list(nodes)[-3:-1] == ["cameras", "trajectory_controller"]
    assert nodes["cameras"].parameters["sources.top"] == "/dev/video0"
    assert nodes["cameras"].parameters["sources.wrist_left"] == "clips/left"
    assert nodes["trajectory_controller"].parameters["watch_cameras"], "emulated arms that have cameras are not blind"


@pytest.mark.parametrize(
    ("options", "person", "back"),
    [
        ({"hardware": "can"}, "demo", "hold"),
        ({"hardware": "can", "policy": "runs/demo"}, "human", "policy"),
        ({"hardware": "sim"}, "human", "demo"),
    ],
)
def test_a_person_corrects_who_commands_and_demonstrates_where_nobody_does(
    options: dict[str, str], person: str, back: str
) -> None:
    nodes = bringup_nodes(BringupOptions.from_strings({**options, "teleop": "keyboard"}))
    (node,) = [node for node in nodes if node.executable == "teleoperation"]
    assert (node.parameters["person"], node.parameters["hand_back_to"]) == (person, back)
    assert node.terminal and node.parameters["motion"] == "jog"


def test_a_device_of_its_own_needs_no_terminal() -> None:
    for options in ({"teleop": "gamepad"}, {"teleop": "keyboard"}, {"teleop": "leader"}):
        made = BringupOptions(hardware="can", teleop_device="/dev/input/event3", **options)
        (node,) = [node for node in bringup_nodes(made) if node.executable == "teleoperation"]
        assert not node.terminal and node.parameters["path"] == "/dev/input/event3"


@pytest.mark.parametrize("hardware", HARDWARE)
def test_leader_arms_are_read_on_topics_of_their_own_and_never_enabled(hardware: str) -> None:
    nodes = {node.name or node.executable: node for node in bringup_nodes(BringupOptions(hardware, teleop="leader"))}
    leaders = nodes["leader_driver"]
    assert leaders.parameters["read_only"] and dict(leaders.remappings)["joint_states"] == "leader/joint_states"
    assert dict(leaders.remappings)["control/emergency_stop"] != "control/emergency_stop", "leaders stop nobody"
    assert "__node:=leader_driver" in bringup.command_line(leaders)
    assert nodes["teleoperation"].parameters["motion"] == "leader"
    drivers = [node for node in nodes.values() if node.executable == "piper_driver"]
    channels = [driver.parameters[f"{side}_channel"] for driver in drivers for side in ("left", "right")]
    assert len(set(channels)) == len(channels), "no arm is commanded by two"


def test_a_recorder_of_a_real_robot_marks_the_episodes() -> None:
    for hardware in HARDWARE:
        recorder = bringup_nodes(BringupOptions(hardware=hardware, record="bags"))[0]
        assert recorder.parameters.get("serve_episodes", False) == (hardware != "sim")
    told = bringup_nodes(BringupOptions(hardware="can", record="bags", task="box_closing", instruction="close"))[0]
    assert (told.parameters["task"], told.parameters["instruction"]) == ("box_closing", "close")
    beside = {"out": "bags", "serve_episodes": "true", "task": "box_closing", "instruction": ""}
    (recorder,) = record_nodes({**beside, "contract": "contract.yaml", "use_sim_time": "false"})
    assert recorder.parameters["serve_episodes"] and recorder.parameters["task"] == "box_closing"


def test_ros2_control_takes_the_controllers_place() -> None:
    nodes = bringup_nodes(BringupOptions(hardware="emulated", ros2_control=True, rviz=True))
    expected = "emulated_piper piper_driver robot_state_publisher rviz2 ros2_control_node spawner lifecycle_manager"
    assert " ".join(node.executable for node in nodes) == expected
    assert [node.executable for node in nodes if node.ends] == ["spawner"]
    assert "JointStateTopicSystem" in nodes[2].parameters["robot_description"]


def test_bringup_without_launch_names_nodes_that_it_cannot_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert bringup.main(["--rviz", "true"]) == 2
    assert "robot_state_publisher, rviz2: not of this project; ros2 launch" in capsys.readouterr().err


def test_recording_starts_first_and_the_robot_waits_for_it() -> None:
    nodes = bringup_nodes(BringupOptions(record="bags/live", real_time=False))
    assert [node.executable for node in nodes][:3] == ["recorder", "trajectory_controller", "simulated_robot"]
    assert nodes[0].parameters["out"] == "bags/live" and nodes[-2].parameters["wait_for_recorder"]
    assert nodes[0].parameters["use_sim_time"] and nodes[1].parameters["use_sim_time"]
    assert "use_sim_time" not in nodes[-2].parameters, "it makes the time"


def test_a_policy_commands_instead_of_the_expert() -> None:
    nodes = bringup_nodes(BringupOptions(policy="runs/demo", episodes=5))
    assert [node.module for node in nodes][1] == "rise_learning.nodes.policy"
    assert nodes[0].parameters["initial_mode"] == "policy"
    robot = nodes[-2].parameters
    assert (robot["commander"], robot["kind"], robot["episodes"]) == ("policy", "rollout", 5)


def test_a_world_model_is_served_beside_whoever_commands() -> None:
    (found,) = [n for n in bringup_nodes(BringupOptions(imagination="runs/x")) if n.executable == "imagination"]
    assert found.module == "rise_learning.nodes.imagination" and found.parameters["run"] == "runs/x"
    assert found.parameter_files[0].is_file()
    assert not [n for n in bringup_nodes(BringupOptions()) if n.executable == "imagination"]


def test_an_evaluator_asks_for_the_episodes_itself() -> None:
    nodes = bringup_nodes(BringupOptions(policy="runs/demo", episodes=5, seed=7, evaluate=True))
    (evaluator,) = [node for node in nodes if node.module == "rise_learning.nodes.evaluator"]
    assert (evaluator.parameters["episodes"], evaluator.parameters["seed"]) == (5, 7)
    assert nodes[-2].parameters["episodes"] == 0


@pytest.mark.parametrize(
    ("options", "seed"),
    [
        (BringupOptions(policy="runs/demo", episodes=5, evaluate=True), 1_000_000),
        (BringupOptions(policy="runs/demo", episodes=5, evaluate=True, seed=0), 0),
        (BringupOptions(), 0),
    ],
)
def test_scenes_to_evaluate_on_are_none_of_the_demonstrations(options: BringupOptions, seed: int) -> None:
    nodes = [node for node in bringup_nodes(options) if "seed" in node.parameters and node.executable != "policy"]
    assert {node.parameters["seed"] for node in nodes} == {seed}


def test_no_episodes_start_by_themselves_without_anybody_who_commands_them() -> None:
    assert bringup_nodes(BringupOptions(commander="none"))[-2].parameters["episodes"] == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hardware": "ur5"}, "unknown hardware 'ur5'; known are sim, emulated, can"),
        ({"hardware": "can", "commander": "expert"}, "hardware can has no scripted expert"),
        ({"hardware": "emulated", "real_time": "false"}, "no other time"),
        ({"ros2_control": "true"}, "ros2_control commands the robot itself"),
        ({"real_time": "maybe"}, "real_time must be true or false"),
        ({"bricks": "two"}, "bricks must be of type int"),
        ({"policy": "runs/demo", "commander": "expert"}, "needs commander policy"),
        ({"evaluate": "true", "episodes": "5"}, "evaluate needs policy and episodes"),
        ({"teleop": "gamepad"}, "teleop gamepad needs teleop_device"),
        ({"teleop": "wheel"}, "known are none, keyboard, gamepad, joy, leader"),
        ({"teleop": "keyboard", "real_time": "false"}, "and real time"),
        ({"hardware": "can", "teleop": "joy", "ros2_control": "true"}, "needs the trajectory controller"),
        ({"cameras": "top=/dev/video0"}, "the simulated robot has its own cameras"),
        ({"hardware": "can", "cameras": "/dev/video0"}, "cameras must be NAME=SOURCE .* got /dev/video0"),
    ],
)
def test_options_that_cannot_be_are_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        BringupOptions.from_strings(values)


def test_command_line_takes_both_spellings() -> None:
    assert bringup.parse(["--bricks", "2", "--real-time", "false"]) == bringup.parse(["bricks:=2", "real_time:=false"])


def test_bringup_says_what_is_wrong_before_it_starts_anything(capsys: pytest.CaptureFixture[str]) -> None:
    assert bringup.main(["--bricks", "two"]) == 2
    assert "LaunchError: bricks must be of type int" in capsys.readouterr().err


def test_parameter_files_name_every_parameter_of_the_table() -> None:
    options = [BringupOptions(policy="runs/demo", record="bags", hardware=hardware) for hardware in HARDWARE]
    options += [BringupOptions(hardware="can", teleop="leader", cameras="top=/dev/video0,wrist_left=left.mp4")]
    for node in (node for each in options for node in bringup_nodes(each)):
        known: set[str] = set()
        for file in node.parameter_files:
            known |= flat(yaml.safe_load(file.read_text())["/**"]["ros__parameters"])
        assert set(node.parameters) - {"use_sim_time"} <= known, node.executable


def flat(parameters: dict[str, Any], above: str = "") -> set[str]:
    """Names of all parameters, `sources.top` for one of a group."""
    names: set[str] = set()
    for name, value in parameters.items():
        names |= flat(value, f"{above}{name}.") if isinstance(value, dict) else {above + name}
    return names


class Recorded:
    """Stands in for an action of launch: keeps what it was made from. The real ones need an apt install."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def perform(self, context: dict[str, str]) -> str:
        return context[self.args[0]]


@pytest.fixture
def launch_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names = {
        "launch": ("LaunchContext", "LaunchDescription"),
        "launch.actions": ("DeclareLaunchArgument", "OpaqueFunction", "Shutdown"),
        "launch.substitutions": ("LaunchConfiguration",),
        "launch_ros": (),
        "launch_ros.actions": ("Node",),
    }
    for module, classes in names.items():
        stand_in = types.ModuleType(module)
        for name in classes:
            setattr(stand_in, name, type(name, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, module, stand_in)
    monkeypatch.delitem(sys.modules, "rise_robot.launching", raising=False)
    yield
    sys.modules.pop("rise_robot.launching", None)


def launched(file: str, **given: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Default arguments of a launch file, and its nodes' settings with `given` on top."""
    actions = runpy.run_path(str(LAUNCH / file))["generate_launch_description"]().args[0]
    defaults = {action.args[0]: action.kwargs["default_value"] for action in actions[:-1]}
    return defaults, [node.kwargs for node in actions[-1].kwargs["function"]({**defaults, **given})]


@pytest.mark.usefixtures("launch_modules")
def test_bringup_launch_is_the_table() -> None:
    defaults, nodes = launched("bringup.launch.py", bricks="2", record="bags", namespace="cell")
    assert BringupOptions.from_strings(defaults) == BringupOptions()
    expected = bringup_nodes(BringupOptions(bricks=2, record="bags", namespace="cell"))
    assert [(n["package"], n["executable"], n["parameters"]) for n in nodes] == [
        (spec.package, spec.executable, [*map(str, spec.parameter_files), spec.parameters]) for spec in expected
    ]
    assert all(node["namespace"] == "cell" for node in nodes)


@pytest.mark.usefixtures("launch_modules")
def test_launch_starts_programs_without_parameters_and_lets_the_spawner_end() -> None:
    _, nodes = launched("bringup.launch.py", hardware="emulated", ros2_control="true")
    by_name = {node["executable"]: node for node in nodes}
    assert by_name["emulated_piper"]["parameters"] == []
    assert by_name["emulated_piper"]["arguments"][0] == "--channels"
    assert by_name["spawner"]["on_exit"] == [] and by_name["piper_driver"]["on_exit"]
    assert by_name["ros2_control_node"]["remappings"] == [("~/robot_description", "robot_description")]


@pytest.mark.usefixtures("launch_modules")
@pytest.mark.parametrize(
    "given",
    [
        {"hardware": "can", "teleop": "leader", "cameras": "top=/dev/video0"},
        {"hardware": "emulated", "teleop": "leader"},
        {"policy": "runs/demo", "teleop": "gamepad", "teleop_device": "/dev/input/event3"},
    ],
)
def test_launch_starts_people_and_cameras_as_the_table_says(given: dict[str, str]) -> None:
    _, nodes = launched("bringup.launch.py", **given)
    expected = bringup_nodes(BringupOptions.from_strings(given))
    assert [(n["executable"], n["name"], n["remappings"], n["prefix"]) for n in nodes] == [
        (s.executable, s.name or None, list(s.remappings), "xterm -e" if s.terminal else None) for s in expected
    ]


@pytest.mark.usefixtures("launch_modules")
@pytest.mark.parametrize("file", sorted(path.name for path in LAUNCH.glob("*.launch.py")))
def test_every_launch_argument_is_described(file: str) -> None:
    actions = runpy.run_path(str(LAUNCH / file))["generate_launch_description"]().args[0]
    assert all(len(action.kwargs["description"]) > 5 for action in actions[:-1])
    names = [action.args[0] for action in actions[:-1]]
    assert len(names) == len(set(names)) and {"contract", "namespace"} <= set(names)


@pytest.mark.usefixtures("launch_modules")
def test_record_launch_starts_the_recorder_alone() -> None:
    _, nodes = launched("record.launch.py", out="bags/today", use_sim_time="true")
    assert [node["executable"] for node in nodes] == ["recorder"]
    assert nodes[0]["parameters"][1] == {"contract": "contract.yaml", "use_sim_time": True, "out": "bags/today"}


@pytest.mark.usefixtures("launch_modules")
def test_policy_launch_starts_the_policy_alone() -> None:
    _, nodes = launched("policy.launch.py", run="runs/demo")
    assert [(node["package"], node["executable"]) for node in nodes] == [("rise_learning", "policy")]
    assert nodes[0]["parameters"][1]["run"] == "runs/demo"


@pytest.mark.usefixtures("launch_modules")
def test_evaluate_launch_starts_the_evaluator_alone() -> None:
    _, nodes = launched("evaluate.launch.py", run="runs/demo", episodes="7")
    assert [(node["package"], node["executable"]) for node in nodes] == [("rise_learning", "evaluator")]
    assert (nodes[0]["parameters"][1]["run"], nodes[0]["parameters"][1]["episodes"]) == ("runs/demo", 7)
