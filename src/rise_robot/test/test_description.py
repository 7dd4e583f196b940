"""The robot description agrees with MuJoCo's twin, the Denavit-Hartenberg table, the contract and ros2_control."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import yaml

from rise_robot.apt_nodes import CONTROLLERS
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ContractError, LaunchError
from rise_robot.description import robot_description
from rise_robot.sim.cell import ARM_BASE, ARMS
from rise_robot.sim.kinematics import PiperKinematics
from rise_robot.sim.rendering import mujoco
from rise_robot.sim.scene import scene_xml

CONTRACT = Contract.load(config_path("contract.yaml"))
TENTH_MM = 1e-4
URDF_OPTIONS = '<mujoco><compiler fusestatic="false" discardvisual="true"/></mujoco>'
OPTICAL = np.diag([1.0, -1.0, -1.0])
"""From a camera frame of OpenGL (y up, looking along -z) to an optical frame of ROS (y down, looking along z)."""


def contract_with(convention: str, folder: Path) -> Path:
    path = folder / "contract.yaml"
    path.write_text(dataclasses.replace(CONTRACT, dh_convention=convention).to_yaml())
    return path


@pytest.fixture(params=["current", "old"])
def models(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, mujoco.MjData, mujoco.MjData]:
    """Convention, the URDF as MuJoCo's own parser reads it, and the twin."""
    path = contract_with(request.param, tmp_path)
    text = robot_description(str(path)).replace('<robot name="rise_cell">', f'<robot name="rise_cell">{URDF_OPTIONS}')
    return (
        request.param,
        mujoco.MjData(mujoco.MjModel.from_xml_string(text)),
        mujoco.MjData(mujoco.MjModel.from_xml_string(scene_xml(Contract.load(path), 1))),
    )


def pose(data: mujoco.MjData, q: np.ndarray) -> None:
    """Put all joints of a model to q (14,), each finger to half the opening."""
    for name, value in zip(CONTRACT.joint_names, q, strict=True):
        if not name.endswith("gripper"):
            data.joint(name).qpos[0] = value
            continue
        for side in "ab":
            data.joint(name.replace("gripper", f"finger_{side}")).qpos[0] = value / 2
    mujoco.mj_kinematics(data.model, data)
    mujoco.mj_camlight(data.model, data)


def assert_same(urdf_body: object, position: np.ndarray, rotation: np.ndarray) -> None:
    assert np.linalg.norm(urdf_body.xpos - position) < TENTH_MM  # type: ignore[attr-defined]
    assert np.abs(urdf_body.xmat.reshape(3, 3) - rotation.reshape(3, 3)).max() < 2e-4  # type: ignore[attr-defined]


def test_forward_kinematics_agree_within_a_tenth_of_a_millimetre(
    models: tuple[str, mujoco.MjData, mujoco.MjData],
) -> None:
    convention, urdf, twin = models
    kinematics, rng = PiperKinematics(convention), np.random.default_rng(0)
    for _ in range(20):
        q = rng.uniform(CONTRACT.joint_array("lower"), CONTRACT.joint_array("upper"))
        pose(urdf, q)
        pose(twin, q)
        for n, arm in enumerate(ARMS):
            frames = kinematics.link_transforms(q[7 * n : 7 * n + 6])
            for i in range(6):
                body = twin.body(f"{arm}_link{i + 1}")
                assert_same(urdf.body(f"{arm}_link{i + 1}"), body.xpos, body.xmat)
                assert_same(urdf.body(f"{arm}_link{i + 1}"), ARM_BASE[arm] + frames[i, :3, 3], frames[i, :3, :3])
            site = twin.site(f"{arm}_tool")
            assert_same(urdf.body(f"{arm}_tool"), site.xpos, site.xmat)
            for side in "ab":
                finger = twin.body(f"{arm}_finger_{side}")
                assert_same(urdf.body(f"{arm}_finger_{side}"), finger.xpos, finger.xmat)
        for spec in CONTRACT.cameras:
            camera = twin.camera(spec.name)
            assert_same(urdf.body(spec.frame_id), camera.xpos, camera.xmat.reshape(3, 3) @ OPTICAL)


def test_the_conventions_differ_by_millimetres(tmp_path: Path) -> None:
    """So a mix-up cannot hide below the tolerance of the test above."""
    q = np.array([0.0, 1.5, -1.2, 0.0, 0.3, 0.0])
    flanges = [PiperKinematics(convention).link_transforms(q)[5][:3, 3] for convention in ("current", "old")]
    assert np.linalg.norm(flanges[0] - flanges[1]) > 10 * TENTH_MM


def actuated(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {
        joint.attrib["name"]: joint
        for joint in root.findall("joint")
        if joint.attrib["type"] != "fixed" and joint.find("mimic") is None
    }


def test_joints_and_limits_are_those_of_the_contract() -> None:
    joints = actuated(ElementTree.fromstring(robot_description("contract.yaml")))
    assert tuple(joints) == CONTRACT.joint_names
    for spec in CONTRACT.joints:
        joint = joints[spec.name]
        limit = {key: float(value) for key, value in joint.find("limit").attrib.items()}  # type: ignore[union-attr]
        assert (limit["lower"], limit["upper"], limit["velocity"]) == (spec.lower, spec.upper, spec.max_velocity)
        assert joint.attrib["type"] == {"rad": "revolute", "m": "prismatic"}[spec.unit]


def test_fingers_follow_the_gripper_by_half() -> None:
    root = ElementTree.fromstring(robot_description("contract.yaml"))
    fingers = {
        joint.attrib["name"]: joint.find("mimic") for joint in root.findall("joint") if "finger" in joint.attrib["name"]
    }
    assert len(fingers) == 4
    for name, mimic in fingers.items():
        assert mimic is not None and mimic.attrib == {"joint": f"{name.split('_')[0]}_gripper", "multiplier": "0.5"}


def test_it_is_one_tree_below_base_link() -> None:
    root = ElementTree.fromstring(robot_description("contract.yaml"))
    links = [link.attrib["name"] for link in root.findall("link")]
    children = [joint.find("child").attrib["link"] for joint in root.findall("joint")]  # type: ignore[union-attr]
    assert len(set(links)) == len(links) and len(set(children)) == len(children)
    assert set(links) - set(children) == {"base_link"}


@pytest.mark.parametrize("control", ["topic", "mock"])
def test_ros2_control_commands_and_states_are_the_contracts(control: str) -> None:
    root = ElementTree.fromstring(robot_description("contract.yaml", control))
    (system,) = root.findall("ros2_control")
    joints = system.findall("joint")
    assert tuple(joint.attrib["name"] for joint in joints) == CONTRACT.joint_names
    for joint, spec in zip(joints, CONTRACT.joints, strict=True):
        (command,) = joint.findall("command_interface")
        limits = {param.attrib["name"]: float(param.text or "") for param in command.findall("param")}
        assert (command.attrib["name"], limits) == ("position", {"min": spec.lower, "max": spec.upper})
        assert [state.attrib["name"] for state in joint.findall("state_interface")] == ["position", "velocity"]
    plugin = system.findtext("hardware/plugin")
    given = {param.attrib["name"]: param.text for param in system.findall("hardware/param")}
    if control == "mock":
        assert plugin == "mock_components/GenericSystem"
        return
    assert plugin == "joint_state_topic_hardware_interface/JointStateTopicSystem"
    assert (given["joint_commands_topic"], given["joint_states_topic"]) == ("joint_command", "joint_states")
    assert float(given["trigger_joint_command_threshold"] or "0") < 0


def test_without_ros2_control_there_is_none() -> None:
    assert ElementTree.fromstring(robot_description("contract.yaml")).find("ros2_control") is None


def test_controllers_fit_the_contract_and_the_description() -> None:
    sections = {
        name.removeprefix("/**/"): section["ros__parameters"]
        for name, section in yaml.safe_load(config_path("controllers.yaml").read_text()).items()
    }
    manager = sections.pop("controller_manager")
    assert manager.pop("update_rate") == CONTRACT.control_rate_hz
    assert set(manager) == set(sections) == set(CONTROLLERS)
    assert sections.pop("joint_state_broadcaster")["use_local_topics"], "joint_states is the driver's"
    assert manager["joint_state_broadcaster"]["type"] == "joint_state_broadcaster/JointStateBroadcaster"
    joints = [joint for name in CONTROLLERS[1:] for joint in sections[name]["joints"]]
    assert tuple(joints) == CONTRACT.joint_names
    for name, section in sections.items():
        assert manager[name]["type"] == "joint_trajectory_controller/JointTrajectoryController"
        assert section["command_interfaces"] == ["position"]
        assert set(section["state_interfaces"]) == {"position", "velocity"}
        assert section["state_publish_rate"] == CONTRACT.control_rate_hz


def test_another_robot_or_hardware_is_refused() -> None:
    with pytest.raises(ContractError, match="Piper arms have joints"):
        robot_description("contract_droid.yaml")
    with pytest.raises(LaunchError, match="unknown ros2_control 'gazebo'; known are none, topic, mock"):
        robot_description("contract.yaml", "gazebo")
