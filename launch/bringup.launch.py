"""Robot (or its MuJoCo twin), controller and, where asked for, policy, recorder, cameras and teleoperation.

    ros2 launch rise_robot bringup.launch.py hardware:=sim task:=brick_sorting

The nodes and arguments are those of rise_robot.node_table; `python -m rise_robot.bringup` starts the same.
"""

import dataclasses

from launch import LaunchDescription
from rise_robot.companions import Argument
from rise_robot.launching import describe
from rise_robot.node_table import BringupOptions, bringup_nodes


def generate_launch_description() -> LaunchDescription:
    arguments = [
        Argument(option.name, str(option.default), option.metadata["help"])
        for option in dataclasses.fields(BringupOptions)
    ]
    return describe(arguments, lambda values: bringup_nodes(BringupOptions.from_strings(values)))
