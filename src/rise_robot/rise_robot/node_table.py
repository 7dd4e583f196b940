"""The one table of nodes: what `python -m rise_robot.bringup` and launch/bringup.launch.py start, and with what."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rise_robot import apt_nodes
from rise_robot.core.errors import LaunchError
from rise_robot.hardware.emulated_channels import emulated_channel
from rise_robot.node_spec import NodeSpec

SETPOINT_RATE_HZ = 200.0
"""At which arms take commands: that of their feedback."""

PARKING_S = 60.0
"""With park_on_shutdown the driver ends when its arms rest."""
MANAGED = ("recorder", "piper_driver", "cameras", "trajectory_controller", "policy")
"""Executables that are lifecycle nodes."""


def _option(default: Any, description: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": description, "choices": choices})


EVALUATION_SEED = 1_000_000
"""Of the first scene to evaluate on: those of demonstrations count up from 0."""


@dataclass(frozen=True)
class BringupOptions:
    """The options of bringup; they are the launch arguments as well (`--bricks 2`, `bricks:=2`)."""

    hardware: str = _option(
        "sim",
        "The robot: sim is the MuJoCo twin, emulated two emulated arms over CAN frames, can the real arms.",
        ("sim", "emulated", "can"),
    )
    task: str = _option(
        "brick_sorting",
        "Task of the simulated cell, and of the episodes that are recorded on real arms.",
        ("brick_sorting", "backpack_packing", "box_closing"),
    )
    instruction: str = _option("", "What a policy is told in these, on real arms; empty: the task's own instruction.")
    level: str = _option("default", "Difficulty; steady of brick_sorting only.", ("easy", "default", "hard", "steady"))
    contract: str = _option("contract.yaml", "Contract: a path, or a file name of the installed config/.")
    commander: str = _option(
        "auto",
        "Who commands at the start; auto: the policy where one is given, else the scripted expert.",
        ("auto", "expert", "policy", "none"),
    )
    policy: str = _option("", "Run directory whose policy node is started too.")
    imagination: str = _option(
        "", "Run directory whose world model is served: the action imagine_chunk, frames on imagination/image."
    )
    evaluate: bool = _option(False, "Count the outcomes of the episodes of the policy, then report and end.")
    left_channel: str = _option("can_left", "CAN channel of the left arm (hardware can).")
    right_channel: str = _option("can_right", "CAN channel of the right arm (hardware can).")
    cameras: str = _option(
        "",
        "Sources of real cameras, NAME=SOURCE and commas between them (top=/dev/video0): a V4L2 device, a video file, "
        "a folder of images, topic:NAME; empty: none, or those of another driver.",
    )
    teleop: str = _option(
        "none",
        "What a person commands with: keyboard (of the terminal, or teleop_device), gamepad, joy (topic joy), or "
        "leader: leader arms, with the keyboard for take-over and episodes.",
        ("none", "keyboard", "gamepad", "joy", "leader"),
    )
    teleop_device: str = _option("", "File of the gamepad or keyboard, /dev/input/by-id/*-event-*.")
    leader_left_channel: str = _option("can_leader_left", "CAN channel of the left leader arm (teleop leader).")
    leader_right_channel: str = _option("can_leader_right", "CAN channel of the right leader arm (teleop leader).")
    watch_cameras: bool = _option(
        True, "A policy commands only while every camera delivers; false for a first motion check without cameras."
    )
    record: str = _option("", "Directory of rosbag2 sessions to record into; empty: no recorder.")
    episodes: int = _option(-1, "Episodes until everything ends; -1: for ever; 0: only those asked for by service.")
    seed: int = _option(
        -1,
        "Seed of the first episode; the next ones count up. -1: 1,000,000 to evaluate, so that no scene is one of the "
        "demonstrations, and 0 otherwise.",
    )
    bricks: int = _option(0, "Bricks to sort in an episode; 0: as the level says.")
    real_time: bool = _option(True, "Bound to the wall clock; else as fast as it can, on /clock.")
    namespace: str = _option("", "Namespace of all nodes.")
    rviz: bool = _option(False, "Robot model and pictures in RViz (apt install, ros2 launch).")
    ros2_control: bool = _option(
        False,
        "controller_manager with a trajectory controller per arm commands (apt install, ros2 launch).",
    )

    def __post_init__(self) -> None:
        for option in dataclasses.fields(self):
            known = option.metadata["choices"]
            if known and getattr(self, option.name) not in known:
                value = getattr(self, option.name)
                raise LaunchError(f"unknown {option.name} {value!r}; known are {', '.join(known)}")
        if self.policy and self.commanding != "policy":
            raise LaunchError(f"policy {self.policy!r} needs commander policy, got {self.commander!r}")
        if self.hardware != "sim" and (self.commander == "expert" or self.evaluate or not self.real_time):
            raise LaunchError(
                f"hardware {self.hardware} has no scripted expert, no judge of episodes and no other time"
            )
        if self.ros2_control and self.commanding != "none":
            raise LaunchError(f"ros2_control commands the robot itself; got commander {self.commanding}, not none")
        self._check_people()
        if self.evaluate and (not self.policy or self.episodes < 1):
            raise LaunchError(f"evaluate needs policy and episodes, got {self.policy!r} and {self.episodes}")

    def _check_people(self) -> None:
        if self.teleop != "none" and (self.ros2_control or not self.real_time):
            raise LaunchError(f"teleop {self.teleop} needs the trajectory controller, and real time")
        if self.teleop == "gamepad" and not self.teleop_device:
            raise LaunchError("teleop gamepad needs teleop_device, /dev/input/by-id/*-event-joystick")
        if self.cameras and self.hardware == "sim":
            raise LaunchError(f"the simulated robot has its own cameras, got {self.cameras!r}")
        _ = self.camera_sources

    @property
    def camera_sources(self) -> dict[str, str]:
        """Source by camera. Raises LaunchError for what is no NAME=SOURCE."""
        pairs = [part.partition("=") for part in self.cameras.split(",") if part]
        if wrong := ["".join(pair) for pair in pairs if not (pair[0] and pair[2])]:
            raise LaunchError(f"cameras must be NAME=SOURCE with commas between them, got {', '.join(wrong)}")
        return {name: source for name, _, source in pairs}

    @property
    def first_seed(self) -> int:
        """Of the episodes, as asked for or by what they are for."""
        return self.seed if self.seed >= 0 else EVALUATION_SEED if self.evaluate else 0

    @property
    def commanding(self) -> str:
        """expert, policy or none."""
        if self.commander != "auto":
            return self.commander
        if self.policy:
            return "policy"
        return "expert" if self.hardware == "sim" else "none"

    @classmethod
    def from_strings(cls, values: Mapping[str, str]) -> BringupOptions:
        """Options from text, as launch gives it. Raises LaunchError naming the option that cannot be read."""
        parsed: dict[str, Any] = {}
        for option in dataclasses.fields(cls):
            if option.name in values:
                parsed[option.name] = _parse(option.name, values[option.name], type(option.default))
        return cls(**parsed)


def bringup_nodes(options: BringupOptions) -> tuple[NodeSpec, ...]:
    """The nodes of a bringup in the order of their start; they are stopped in the opposite order.

    The last one brings those that are managed up, and takes them down before any process ends.
    """
    common: dict[str, Any] = {"contract": options.contract}
    if not options.real_time:
        common["use_sim_time"] = True
    simulated = options.hardware == "sim"
    marks = {} if simulated else episode_marks(options.task, options.instruction)
    nodes = [recorder(options.record, common, marks)] if options.record else []
    if not simulated:
        nodes += arms(options, common)
    if options.cameras:
        nodes.append(cameras(options, common))
    if options.ros2_control or options.rviz:
        nodes.append(apt_nodes.state_publisher(options.contract, options.ros2_control))
    if options.rviz:
        nodes.append(apt_nodes.rviz())
    nodes += apt_nodes.ros2_control() if options.ros2_control else [_controller(options, common)]
    nodes += people(options, common)
    if options.policy:
        nodes.append(policy(options.policy, common))
    if options.imagination:
        nodes.append(imagination(options.imagination, common))
    if options.evaluate:
        nodes.append(evaluator(options.policy, options.episodes, options.first_seed, common))
    if simulated:
        nodes.append(_simulated_robot(options))
    nodes = [_managed(node) for node in nodes]
    names = [node.name or node.executable for node in nodes if node.managed]
    manager = NodeSpec("rise_robot", "lifecycle_manager", {"nodes": ",".join(names)})
    return (*nodes, manager) if names else tuple(nodes)


def _managed(node: NodeSpec) -> NodeSpec:
    """A lifecycle node that does not start by itself here; alone, or by record.launch.py, it does."""
    if node.executable not in MANAGED:
        return node
    return dataclasses.replace(node, managed=True, parameters={**node.parameters, "autostart": False})


def _controller(options: BringupOptions, common: Mapping[str, Any]) -> NodeSpec:
    mode = {"expert": "demo", "policy": "policy", "none": "hold"}[options.commanding]
    blind = options.hardware == "emulated" and not (options.policy or options.cameras)  # emulated arms have no cameras
    own = {
        "initial_mode": mode,
        "resume_after_jump": options.hardware == "sim",
        "watch_cameras": options.watch_cameras and not blind,
        "setpoint_rate_hz": 0.0 if options.hardware == "sim" else SETPOINT_RATE_HZ,
    }
    if options.hardware == "sim":
        own["cell"] = "cell_twin.yaml"
    return NodeSpec("rise_robot", "trajectory_controller", {**common, **own})


def recorder(directory: str, common: Mapping[str, Any], marks: Mapping[str, Any]) -> NodeSpec:
    """The recorder alone, as launch/record.launch.py starts it beside a running robot.

    Args:
        marks: parameters of `episode_marks` where nobody else marks episodes.
    """
    return NodeSpec("rise_robot", "recorder", {**common, "out": directory, **marks})


def episode_marks(task: str, instruction: str) -> dict[str, Any]:
    """What the recorder needs to mark the episodes of real arms."""
    return {"serve_episodes": True, "task": task, "instruction": instruction}


def arms(options: BringupOptions, common: Mapping[str, Any]) -> list[NodeSpec]:
    """The driver of real arms, or the same driver with emulated arms on buses of this ROS domain."""
    if options.hardware == "can":
        channels = {"left_channel": options.left_channel, "right_channel": options.right_channel}
        return [_driver({**common, **channels}, options.ros2_control)]
    channels = {f"{arm}_channel": emulated_channel(arm) for arm in ("left", "right")}
    words = ["--channels", *(f"{name.removesuffix('_channel')}={place}" for name, place in channels.items())]
    return [
        NodeSpec("rise_robot", "emulated_piper", {}, file=None, arguments=tuple(words)),
        _driver({**common, "interface": "udp_multicast", **channels}, options.ros2_control),
    ]


def _driver(parameters: Mapping[str, Any], ros2_control: bool) -> NodeSpec:
    """It follows the controller's setpoints; ros2_control knows `joint_command` only."""
    followed = () if ros2_control else (("joint_command", "joint_setpoint"),)
    return NodeSpec("rise_robot", "piper_driver", dict(parameters), remappings=followed, grace_s=PARKING_S)


def cameras(options: BringupOptions, common: Mapping[str, Any]) -> NodeSpec:
    """The cameras of `options.cameras`."""
    sources = {f"sources.{name}": source for name, source in options.camera_sources.items()}
    return NodeSpec("rise_robot", "cameras", {**common, **sources})


def people(options: BringupOptions, common: Mapping[str, Any]) -> list[NodeSpec]:
    """Teleoperation and, where they are its device, leader arms, which are read and never enabled."""
    if options.teleop == "none":
        return []
    leader = options.teleop == "leader"
    own = {
        "device": "keyboard" if leader else options.teleop,
        "path": options.teleop_device,
        "motion": "leader" if leader else "jog",
        "person": "demo" if options.commanding == "none" else "human",
        "hand_back_to": {"expert": "demo", "policy": "policy", "none": "hold"}[options.commanding],
    }
    typed = own["device"] == "keyboard" and not options.teleop_device
    node = NodeSpec("rise_robot", "teleoperation", {**common, **own}, terminal=typed)
    return [*(_leaders(options, common) if leader else []), node]


def _leaders(options: BringupOptions, common: Mapping[str, Any]) -> list[NodeSpec]:
    renamed = ("joint_states", "joint_command", "contract", "control/emergency_stop")
    remappings = tuple((name, f"leader/{name}") for name in renamed)
    if options.hardware != "emulated":
        channels = {"left_channel": options.leader_left_channel, "right_channel": options.leader_right_channel}
        own: dict[str, Any] = {**common, **channels, "read_only": True}
        return [NodeSpec("rise_robot", "piper_driver", own, remappings=remappings, name="leader_driver")]
    places = {arm: emulated_channel(arm, leader=True) for arm in ("left", "right")}
    words = ("--priority", "0", "--channels", *(f"{arm}={place}" for arm, place in places.items()))
    channels = {f"{arm}_channel": place for arm, place in places.items()}
    own = {**common, "interface": "udp_multicast", **channels, "read_only": True, "realtime_priority": 0}
    return [
        NodeSpec("rise_robot", "emulated_piper", {}, file=None, arguments=words, name="emulated_leaders"),
        NodeSpec("rise_robot", "piper_driver", own, remappings=remappings, name="leader_driver"),
    ]


def policy(run: str, common: Mapping[str, Any]) -> NodeSpec:
    """The policy of a run, as launch/policy.launch.py starts it beside a running robot."""
    return NodeSpec("rise_learning", "policy", {**common, "run": run})


def imagination(run: str, common: Mapping[str, Any]) -> NodeSpec:
    """The world model of a run as a service."""
    return NodeSpec("rise_learning", "imagination", {**common, "run": run})


def evaluator(run: str, episodes: int, seed: int, common: Mapping[str, Any]) -> NodeSpec:
    """Counts the outcomes of a policy beside a running robot, as launch/evaluate.launch.py starts it."""
    return NodeSpec("rise_learning", "evaluator", {**common, "run": run, "episodes": episodes, "seed": seed})


def _simulated_robot(options: BringupOptions) -> NodeSpec:
    by_itself = options.commanding != "none" and not options.evaluate
    parameters = {
        "contract": options.contract,
        "task": options.task,
        "level": options.level,
        "bricks": options.bricks,
        "real_time": options.real_time,
        "commander": options.commanding,
        "episodes": options.episodes if by_itself else 0,
        "kind": "demonstration" if options.commanding == "expert" else "rollout",
        "seed": options.first_seed,
        "wait_for_recorder": bool(options.record),
    }
    return NodeSpec("rise_robot", "simulated_robot", parameters)


def _parse(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise LaunchError(f"{name} must be true or false, got {text!r}")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError as error:
        raise LaunchError(f"{name} must be of type {kind.__name__}, got {text!r}") from error
