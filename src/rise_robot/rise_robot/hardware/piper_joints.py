"""The joints of Piper arms in a contract."""

from __future__ import annotations

from rise_robot.core.contract import Contract
from rise_robot.core.errors import ContractError
from rise_robot.hardware.piper_messages import JOINTS


def arms_of(contract: Contract) -> tuple[str, ...]:
    """Names of the Piper arms of a contract: its joints are <arm>_joint1 to 6 and <arm>_gripper, arm after arm."""
    names = contract.joint_names
    arms = tuple(name.removesuffix("_gripper") for name in names if name.endswith("_gripper"))
    expected = [f"{arm}_{joint}" for arm in arms for joint in (*(f"joint{i}" for i in range(1, JOINTS + 1)), "gripper")]
    if not arms or list(names) != expected:
        raise ContractError(f"Piper arms have joints ARM_joint1 to 6 and ARM_gripper, arm after arm; got {list(names)}")
    return arms
