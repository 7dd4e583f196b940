"""The simulated Piper has the kinematics, limits and gripper that the contract and its firmware convention say."""

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SimulationError
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.cell import ARM_BASE, ARMS
from rise_robot.sim.ik import rotation_error, solve_ik
from rise_robot.sim.kinematics import PiperKinematics, theta_offset
from rise_robot.sim.motion import MAX_ACCELERATION, MAX_SPEED, JointReference
from rise_robot.sim.rendering import mujoco
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.scene import scene_xml

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
LOWER, UPPER = CONTRACT.joint_array("lower"), CONTRACT.joint_array("upper")


def vendor_flange(q: np.ndarray, offsets_deg: tuple[float, ...]) -> np.ndarray:
    """(4, 4) flange by the vendor's table of modified DH parameters (mm), one matrix product per elementary motion."""
    table = ((0, 0, 123), (-90, 0, 0), (0, 285.03, 0), (90, -21.98, 250.75), (-90, 0, 0), (90, 0, 91))
    frame = np.eye(4)
    for (alpha, a, d), angle in zip(table, q + np.radians(offsets_deg), strict=True):
        c, s = np.cos(np.radians(alpha)), np.sin(np.radians(alpha))
        turn_x = np.array([[1, 0, 0, a / 1000], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
        c, s = np.cos(angle), np.sin(angle)
        frame = frame @ turn_x @ np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, d / 1000], [0, 0, 0, 1]])
    return frame


@pytest.mark.parametrize(
    ("convention", "offsets"),
    [("current", (0, -172.22, -102.78, 0, 0, 0)), ("old", (0, -174.22, -100.78, 0, 0, 0))],
)
def test_mjcf_follows_the_modified_dh_table_within_a_millimetre(convention, offsets):
    contract = dataclasses.replace(CONTRACT, dh_convention=convention)
    model = mujoco.MjModel.from_xml_string(scene_xml(contract, 1))
    data = mujoco.MjData(model)
    rng = np.random.default_rng(3)
    for _ in range(20):
        q = rng.uniform(LOWER, UPPER)
        for name, value in zip(CONTRACT.joint_names, q, strict=True):
            if not name.endswith("gripper"):
                data.joint(name).qpos[0] = value
        mujoco.mj_kinematics(model, data)
        for n, arm in enumerate(ARMS):
            flange = vendor_flange(q[7 * n : 7 * n + 6], offsets)
            body = data.body(f"{arm}_link6")
            assert np.linalg.norm(body.xpos - ARM_BASE[arm] - flange[:3, 3]) < 1e-3
            assert np.abs(body.xmat.reshape(3, 3) - flange[:3, :3]).max() < 1e-6


def test_unknown_convention_names_the_known_ones():
    with pytest.raises(SimulationError, match="current"):
        theta_offset("newest")


def test_actuator_ranges_and_order_are_those_of_the_contract():
    model = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1)).task.model
    assert tuple(model.actuator(i).name for i in range(model.nu)) == CONTRACT.joint_names
    np.testing.assert_allclose(model.actuator_ctrlrange, np.stack([LOWER, UPPER], axis=1))


def test_one_command_opens_both_fingers_by_half():
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1))
    action = robot.command
    action[6] = 0.03
    for _ in range(15):
        robot.step(action)
    assert robot.joint_positions[6] == pytest.approx(0.03, abs=5e-4)
    a, b = (robot.task.data.joint(f"left_finger_{side}").qpos[0] for side in "ab")
    assert a == pytest.approx(b, abs=2e-4)


def test_arms_track_and_hold_without_sagging():
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1))
    target = robot.command
    target[1], target[2], target[8], target[9] = 1.2, -0.9, 0.9, -0.7
    reference = JointReference(robot.command, np.zeros(14))
    for _ in range(60):
        reference = reference.towards(target, CONTRACT.control_period_s)
        robot.step(reference.position)
    np.testing.assert_allclose(robot.joint_positions, target, atol=2e-3)


angles = st.lists(st.floats(0.05, 0.95), min_size=6, max_size=6)


def tool_error(kinematics: PiperKinematics, q: np.ndarray, position: np.ndarray, rotation: np.ndarray) -> float:
    """What the solver lessens: m, a radian of orientation counting as 0.1."""
    reached, orientation = kinematics.tool(q)
    return float(np.linalg.norm([*(position - reached), *(0.1 * rotation_error(rotation, orientation))]))


def cannot_come_nearer(kinematics: PiperKinematics, q: np.ndarray, position: np.ndarray, rotation: np.ndarray) -> bool:
    """Whether joints stand at their limits and no other one lessens the error: the gradient over those is 0."""
    reached, orientation, jacobian = kinematics.tool_and_jacobian(q)
    error = np.concatenate([position - reached, 0.1 * rotation_error(rotation, orientation)])
    descent = (jacobian * np.array([1, 1, 1, 0.1, 0.1, 0.1])[:, None]).T @ error
    held = ((q <= LOWER[:6]) & (descent < 0)) | ((q >= UPPER[:6]) & (descent > 0))
    return bool(held.any() and np.abs(descent[~held]).max() < 1e-3 * np.linalg.norm(error))


disturbances = st.lists(st.floats(-0.25, 0.25), min_size=6, max_size=6)


@settings(
    max_examples=40, deadline=None, derandomize=True
)  # of all poses, one in some thousands ends at a limit: below
@given(angles, disturbances)
@example([0.5, 0.5, 0.125, 0.5, 0.5, 0.5], [0.25, -0.25, -0.125, 0.0, 0.0, 0.0])  # plain Gauss-Newton ends 317 mm off
def test_ik_finds_a_pose_that_the_arm_can_take(fractions, disturbance):
    kinematics = PiperKinematics()
    q = LOWER[:6] + np.array(fractions) * (UPPER - LOWER)[:6]
    position, rotation = kinematics.tool(q)
    found = solve_ik(kinematics, position, rotation, q + disturbance, LOWER[:6], UPPER[:6], iterations=60)
    assert np.all(found >= LOWER[:6]) and np.all(found <= UPPER[:6])
    reached, orientation = kinematics.tool(found)
    assert np.linalg.norm(reached - position) + 0.1 * np.linalg.norm(rotation_error(rotation, orientation)) < 5e-3


@settings(max_examples=40, deadline=None)
@given(angles, disturbances)
def test_ik_stops_short_of_a_pose_only_where_limits_keep_it_from_coming_nearer(fractions, disturbance):
    kinematics = PiperKinematics()
    q = LOWER[:6] + np.array(fractions) * (UPPER - LOWER)[:6]
    position, rotation = kinematics.tool(q)
    found = solve_ik(kinematics, position, rotation, q + disturbance, LOWER[:6], UPPER[:6], iterations=60)
    assert tool_error(kinematics, found, position, rotation) < 5e-3 or cannot_come_nearer(
        kinematics, found, position, rotation
    )


@given(angles, angles)
@settings(max_examples=40, deadline=None)
def test_ik_never_ends_farther_off_than_it_began(fractions, other):
    kinematics = PiperKinematics()
    position, rotation = kinematics.tool(LOWER[:6] + np.array(fractions) * (UPPER - LOWER)[:6])
    q = LOWER[:6] + np.array(other) * (UPPER - LOWER)[:6]
    found = [solve_ik(kinematics, position, rotation, q, LOWER[:6], UPPER[:6], iterations=n) for n in (0, 1, 6, 1000)]
    left = [tool_error(kinematics, one, position, rotation) for one in found]
    assert left == sorted(left, reverse=True)


def test_jacobian_equals_finite_differences():
    kinematics, q = PiperKinematics(), np.array([0.3, 1.4, -1.0, 0.2, 0.5, -0.4])
    position, rotation, jacobian = kinematics.tool_and_jacobian(q)
    for i in range(6):
        moved, turned = kinematics.tool(q + 1e-6 * np.eye(6)[i])
        np.testing.assert_allclose((moved - position) / 1e-6, jacobian[:3, i], atol=1e-5)
        np.testing.assert_allclose(rotation_error(turned, rotation) / 1e-6, jacobian[3:, i], atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=6, max_size=6))
def test_reference_arrives_within_its_limits(goal):
    target, dt = np.array(goal), 1 / 30
    reference = JointReference(np.zeros(6), np.zeros(6))
    for _ in range(90):
        moved = reference.towards(target, dt)
        assert np.abs(moved.velocity).max() <= MAX_SPEED + 1e-9
        assert np.abs(moved.velocity - reference.velocity).max() <= MAX_ACCELERATION * dt + 1e-9
        reference = moved
    np.testing.assert_allclose(reference.position, target, atol=1e-3)
