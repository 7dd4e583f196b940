"""Record a running robot into an MCAP rosbag2 with its contract and episode marks.

    ros2 launch rise_robot record.launch.py out:=bags/session contract:=contract.yaml

A bag of `ros2 bag record -s mcap --all` is as good.
"""

from launch import LaunchDescription
from rise_robot import companions
from rise_robot.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe(companions.RECORD, companions.record_nodes)
