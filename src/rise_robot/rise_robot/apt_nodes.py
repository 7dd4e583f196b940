"""Nodes of other packages, which only an apt install of ROS 2 has: robot state, RViz, ros2_control."""

from __future__ import annotations

from rise_robot.core.contract import config_path
from rise_robot.description import robot_description
from rise_robot.node_spec import NodeSpec

CONTROLLERS = ("joint_state_broadcaster", "left_arm_controller", "right_arm_controller")
"""Of config/controllers.yaml, in the order of their start."""


def state_publisher(contract: str, ros2_control: bool) -> NodeSpec:
    """robot_state_publisher: TF of the cell and the topic robot_description."""
    text = robot_description(contract, "topic" if ros2_control else "none")
    return NodeSpec("robot_state_publisher", "robot_state_publisher", {"robot_description": text}, file=None)


def rviz() -> NodeSpec:
    return NodeSpec("rviz2", "rviz2", {}, file=None, arguments=("-d", str(config_path("rise.rviz"))))


def ros2_control() -> list[NodeSpec]:
    """controller_manager, which takes the description from its topic, and the spawner of its controllers."""
    manager = NodeSpec(
        "controller_manager",
        "ros2_control_node",
        {},
        file="controllers.yaml",
        remappings=(("~/robot_description", "robot_description"),),
    )
    words = (*CONTROLLERS, "--param-file", str(config_path("controllers.yaml")))
    return [manager, NodeSpec("controller_manager", "spawner", {}, file=None, arguments=words, ends=True)]
