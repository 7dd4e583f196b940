"""Evaluate a policy on a running robot: episodes, outcomes, latencies; ends with the last episode.

    ros2 launch rise_learning evaluate.launch.py run:=runs/demo episodes:=20 contract:=contract.yaml

Robot and policy must run: `ros2 launch rise_robot bringup.launch.py policy:=runs/demo episodes:=0`. All in one:
`ros2 launch rise_robot bringup.launch.py policy:=runs/demo episodes:=20 evaluate:=true`.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from rise_robot.node_table import evaluator

ARGUMENTS = {
    "run": (None, "Run directory (its newest stage), or the directory of one policy."),
    "episodes": ("20", "Episodes."),
    "seed": ("1000000", "Seed of the first episode; the next ones count up."),
    "contract": ("contract.yaml", "Contract: a path, or a file name of the installed config/."),
    "namespace": ("", "Namespace of the robot."),
    "use_sim_time": ("false", "Follow /clock."),
}


def nodes(context: LaunchContext) -> list[Node]:
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    common = {"contract": values["contract"], "use_sim_time": values["use_sim_time"].lower() == "true"}
    spec = evaluator(values["run"], int(values["episodes"]), int(values["seed"]), common)
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
