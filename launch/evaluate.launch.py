"""Evaluate a policy on a running robot: episodes, outcomes, latencies; ends with the last episode.

    ros2 launch rise_learning evaluate.launch.py run:=runs/demo episodes:=20 contract:=contract.yaml

Robot and policy must run: `ros2 launch rise_robot bringup.launch.py policy:=runs/demo episodes:=0`. All in one:
`ros2 launch rise_robot bringup.launch.py policy:=runs/demo episodes:=20 evaluate:=true`.
"""

from launch import LaunchDescription
from rise_robot import companions
from rise_robot.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe(companions.EVALUATE, companions.evaluate_nodes)
