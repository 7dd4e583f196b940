"""Arguments and nodes as a launch description: the half that all launch files share. Needs launch_ros (apt install)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from rise_robot.companions import Argument
from rise_robot.node_spec import NodeSpec

TERMINAL = "xterm -e"
"""ros2 launch gives its nodes no keyboard, so that one which reads keys gets a window of its own."""


def describe(
    arguments: Sequence[Argument], specs: Callable[[Mapping[str, str]], Sequence[NodeSpec]]
) -> LaunchDescription:
    """Declare the arguments; start what `specs` makes of their text; when one node ends, all end."""

    def nodes(context: LaunchContext) -> list[Node]:
        values = {each.name: LaunchConfiguration(each.name).perform(context) for each in arguments}
        return [action(spec, values["namespace"]) for spec in specs(values)]

    declared = [
        DeclareLaunchArgument(each.name, default_value=each.default, description=each.help) for each in arguments
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=nodes)])


def action(spec: NodeSpec, namespace: str) -> Node:
    """One row of the node table."""
    return Node(
        package=spec.package,
        executable=spec.executable,
        name=spec.name or None,
        namespace=namespace,
        arguments=list(spec.arguments),
        parameters=[*map(str, spec.parameter_files), *([spec.parameters] if spec.parameters else [])],
        remappings=list(spec.remappings),
        output="screen",
        sigterm_timeout=str(spec.grace_s),
        prefix=TERMINAL if spec.terminal else None,
        on_exit=[] if spec.ends else Shutdown(reason=f"{spec.executable} ended"),
    )
