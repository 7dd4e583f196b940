"""The robot description (URDF) of the cell: config/urdf, processed for a contract.

python -m rise_robot.description > cell.urdf
python -m rise_robot.description --contract contract_tiny.yaml --ros2-control topic
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import xacro

from rise_robot.command_line import explained
from rise_robot.core.contract import Contract, config_path, contract_path
from rise_robot.core.errors import LaunchError
from rise_robot.hardware.piper_joints import arms_of

CONTROL = ("none", "topic", "mock")


def robot_description(contract: str, ros2_control: str = "none") -> str:
    """URDF of the cell under a contract.

    Args:
        contract: path, or a file name of the installed config/; with the joints of two Piper arms, left and right.
        ros2_control: hardware of the `<ros2_control>` description: none, topic, mock.

    Raises:
        LaunchError: it is the contract of another robot, or the kind of hardware is unknown.
    """
    if ros2_control not in CONTROL:
        raise LaunchError(f"unknown ros2_control {ros2_control!r}; known are {', '.join(CONTROL)}")
    file = contract_path(contract)
    if arms_of(Contract.load(file)) != ("left", "right"):
        raise LaunchError(f"the cell has a left and a right arm, not those of {file}")
    path = config_path("urdf/cell.urdf.xacro")
    document = xacro.process_file(str(path), mappings={"contract": str(file), "ros2_control": ros2_control})
    text: str = document.toprettyxml(indent="  ")
    return text


def main(args: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("rise_robot.description", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--contract", default="contract.yaml", help="path, or a file name of the installed config/")
    parser.add_argument("--ros2-control", default="none", choices=CONTROL)
    options = parser.parse_args(args)
    return explained(lambda: print(robot_description(options.contract, options.ros2_control)))


if __name__ == "__main__":
    sys.exit(main())
