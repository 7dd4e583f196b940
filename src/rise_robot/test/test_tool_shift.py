"""Tools moved beside a path: where they go, what stays, which robots are refused."""

import dataclasses

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ContractMismatchError
from rise_robot.core.tool_shift import ToolShift
from rise_robot.sim.kinematics import PiperKinematics

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
WORKING = np.array([0.1, 1.6, -1.1, 0.0, 0.65, 0.0, 0.03])  # rad, m


def path(steps: int = 20) -> np.ndarray:
    """Both arms over the belt, turning slowly."""
    joints = np.tile(WORKING, (steps, 2))
    joints[:, 0] += np.linspace(0.0, 0.2, steps)
    return joints


def tools(joints: np.ndarray) -> np.ndarray:
    """(K, 2, 3) m in the base frames."""
    kinematics = PiperKinematics(CONTRACT.dh_convention)
    return np.array([[kinematics.tool(row[7 * arm : 7 * arm + 6])[0] for arm in range(2)] for row in joints])


def test_a_tool_goes_where_it_is_moved_and_the_other_arm_stays():
    offsets = np.zeros((20, 2, 3))
    offsets[:, 0] = [0.02, -0.015, 0.0]
    moved = ToolShift(CONTRACT)(path(), offsets)
    np.testing.assert_allclose((tools(moved) - tools(path()))[:, 0], offsets[:, 0], atol=0.002)
    np.testing.assert_array_equal(moved[:, 7:], path()[:, 7:])
    np.testing.assert_array_equal(moved[:, 6], path()[:, 6])  # the gripper


def test_joints_stay_within_the_limits():
    offsets = np.full((20, 2, 3), 0.5)
    moved = ToolShift(CONTRACT)(path(), offsets)
    assert (moved <= CONTRACT.joint_array("upper")).all() and (moved >= CONTRACT.joint_array("lower")).all()


def test_another_robot_is_refused_by_name():
    with pytest.raises(ContractMismatchError, match="franka"):
        ToolShift(dataclasses.replace(CONTRACT, robot="franka_panda"))
