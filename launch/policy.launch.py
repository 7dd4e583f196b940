"""The policy node beside a running robot, whose controller must be in mode policy (service control/set).

ros2 launch rise_learning policy.launch.py run:=runs/demo contract:=contract.yaml
"""

from launch import LaunchDescription
from rise_robot import companions
from rise_robot.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe(companions.POLICY, companions.policy_nodes)
