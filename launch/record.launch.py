"""Record a running robot into an MCAP rosbag2 with its contract and episode marks.

    ros2 launch rise_robot record.launch.py out:=bags/session contract:=contract.yaml

A bag of `ros2 bag record -s mcap --all` is as good.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from rise_robot.node_table import recorder

ARGUMENTS = {
    "out": ("bags/session", "Directory of the bag."),
    "contract": ("contract.yaml", "Contract: a path, or a file name of the installed config/."),
    "namespace": ("", "Namespace of the robot."),
    "use_sim_time": ("false", "Follow /clock."),
}


def nodes(context: LaunchContext) -> list[Node]:
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    common = {"contract": values["contract"], "use_sim_time": values["use_sim_time"].lower() == "true"}
    spec = recorder(values["out"], common)
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
