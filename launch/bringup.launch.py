"""Robot (or its MuJoCo twin), controller and, where asked for, policy and recorder.

    ros2 launch rise_robot bringup.launch.py hardware:=sim task:=brick_sorting

The nodes and arguments are those of rise_robot.node_table; `python -m rise_robot.bringup` starts the same.
"""

import dataclasses

from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from rise_robot.node_table import BringupOptions, bringup_nodes

OPTIONS = dataclasses.fields(BringupOptions)


def nodes(context: LaunchContext) -> list[Node]:
    """One action per row of the table; when one ends, all end."""
    values = {option.name: LaunchConfiguration(option.name).perform(context) for option in OPTIONS}
    options = BringupOptions.from_strings(values)
    return [
        Node(
            package=spec.package,
            executable=spec.executable,
            namespace=options.namespace,
            arguments=list(spec.arguments),
            parameters=[*map(str, spec.parameter_files), *([spec.parameters] if spec.parameters else [])],
            remappings=list(spec.remappings),
            output="screen",
            on_exit=[] if spec.ends else Shutdown(reason=f"{spec.executable} ended"),
        )
        for spec in bringup_nodes(options)
    ]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(option.name, default_value=str(option.default), description=option.metadata["help"])
        for option in OPTIONS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=nodes)])
