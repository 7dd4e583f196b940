"""The policy node beside a running robot, whose controller must be in mode policy (service control/set).

ros2 launch rise_learning policy.launch.py run:=runs/demo contract:=contract.yaml
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from rise_robot.node_table import policy

ARGUMENTS = {
    "run": (None, "Run directory (its newest stage), or the directory of one policy."),
    "contract": ("contract.yaml", "Contract: a path, or a file name of the installed config/."),
    "namespace": ("", "Namespace of the robot."),
    "use_sim_time": ("false", "Follow /clock."),
}


def nodes(context: LaunchContext) -> list[Node]:
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    spec = policy(
        values["run"], {"contract": values["contract"], "use_sim_time": values["use_sim_time"].lower() == "true"}
    )
    return [
        Node(
            package=spec.package,
            executable=spec.executable,
            namespace=values["namespace"],
            parameters=[*map(str, spec.parameter_files), spec.parameters],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=nodes)])
