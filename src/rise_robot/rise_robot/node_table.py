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


def _option(default: Any, description: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": description, "choices": choices})


@dataclass(frozen=True)
class BringupOptions:
    """The options of bringup; they are the launch arguments as well (`--bricks 2`, `bricks:=2`)."""

    hardware: str = _option(
        "sim",
        "The robot: sim is the MuJoCo twin, emulated two emulated arms over CAN frames, can the real arms.",
        ("sim", "emulated", "can"),
    )
    task: str = _option(
        "brick_sorting", "Task of the simulated cell.", ("brick_sorting", "backpack_packing", "box_closing")
    )
    level: str = _option("default", "Difficulty of the task.", ("easy", "default", "hard"))
    contract: str = _option("contract.yaml", "Contract: a path, or a file name of the installed config/.")
    commander: str = _option(
        "auto",
        "Who commands at the start; auto: the policy where one is given, else the scripted expert.",
        ("auto", "expert", "policy", "none"),
    )
    policy: str = _option("", "Run directory whose policy node is started too.")
    evaluate: bool = _option(False, "Count the outcomes of the episodes of the policy, then report and end.")
    left_channel: str = _option("can_left", "CAN channel of the left arm (hardware can).")
    right_channel: str = _option("can_right", "CAN channel of the right arm (hardware can).")
    watch_cameras: bool = _option(
        True, "A policy commands only while every camera delivers; false for a first motion check without cameras."
    )
    record: str = _option("", "Directory of rosbag2 sessions to record into; empty: no recorder.")
    episodes: int = _option(-1, "Episodes until everything ends; -1: for ever; 0: only those asked for by service.")
    seed: int = _option(0, "Seed of the first episode; the next ones count up.")
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
        if self.evaluate and (not self.policy or self.episodes < 1):
            raise LaunchError(f"evaluate needs policy and episodes, got {self.policy!r} and {self.episodes}")

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
    """The nodes of a bringup in the order of their start; they are stopped in the opposite order."""
    common: dict[str, Any] = {"contract": options.contract}
    if not options.real_time:
        common["use_sim_time"] = True
    simulated = options.hardware == "sim"
    nodes = [recorder(options.record, common, serve_episodes=not simulated)] if options.record else []
    if not simulated:
        nodes += arms(options, common)
    if options.ros2_control or options.rviz:
        nodes.append(apt_nodes.state_publisher(options.contract, options.ros2_control))
    if options.rviz:
        nodes.append(apt_nodes.rviz())
    nodes += apt_nodes.ros2_control() if options.ros2_control else [_controller(options, common)]
    if options.policy:
        nodes.append(policy(options.policy, common))
    if options.evaluate:
        nodes.append(evaluator(options.policy, options.episodes, options.seed, common))
    if simulated:
        nodes.append(_simulated_robot(options))
    return tuple(nodes)


def _controller(options: BringupOptions, common: Mapping[str, Any]) -> NodeSpec:
    mode = {"expert": "demo", "policy": "policy", "none": "hold"}[options.commanding]
    blind = options.hardware == "emulated" and not options.policy  # emulated arms come without cameras
    own = {
        "initial_mode": mode,
        "resume_after_jump": options.hardware == "sim",
        "watch_cameras": options.watch_cameras and not blind,
    }
    return NodeSpec("rise_robot", "trajectory_controller", {**common, **own})


def recorder(directory: str, common: Mapping[str, Any], serve_episodes: bool = False) -> NodeSpec:
    """The recorder alone, as launch/record.launch.py starts it beside a running robot."""
    marks = {"serve_episodes": True} if serve_episodes else {}
    return NodeSpec("rise_robot", "recorder", {**common, "out": directory, **marks})


def arms(options: BringupOptions, common: Mapping[str, Any]) -> list[NodeSpec]:
    """The driver of real arms, or the same driver with emulated arms on buses of this ROS domain."""
    if options.hardware == "can":
        channels = {"left_channel": options.left_channel, "right_channel": options.right_channel}
        return [NodeSpec("rise_robot", "piper_driver", {**common, **channels})]
    channels = {f"{arm}_channel": emulated_channel(arm) for arm in ("left", "right")}
    words = ["--channels", *(f"{name.removesuffix('_channel')}={place}" for name, place in channels.items())]
    return [
        NodeSpec("rise_robot", "emulated_piper", {}, file=None, arguments=tuple(words)),
        NodeSpec("rise_robot", "piper_driver", {**common, "interface": "udp_multicast", **channels}),
    ]


def policy(run: str, common: Mapping[str, Any]) -> NodeSpec:
    """The policy of a run, as launch/policy.launch.py starts it beside a running robot."""
    return NodeSpec("rise_learning", "policy", {**common, "run": run})


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
        "seed": options.seed,
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
