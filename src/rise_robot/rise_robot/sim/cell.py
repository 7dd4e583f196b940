"""The cell that all tasks share: two Piper arms on a table, lights and cameras, as MJCF around what a task adds.

World frame: x forward from the arms, y left, z up, origin on the table between the arm bases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import SimulationError
from rise_robot.sim.piper import WORLD_BITS, piper_xml

TIMESTEP = 1.0 / 240.0
ARMS = ("left", "right")
ARM_SIDE = {"left": 1.0, "right": -1.0}  # sign of y
ARM_BASE = {arm: np.array([-0.06, side * 0.20, 0.0]) for arm, side in ARM_SIDE.items()}
HOME = np.array([0.0, 0.05, -0.10, 0.0, 0.20, 0.0, 0.07])
"""(7,) start pose of each arm, rad and m: folded, gripper forward and open, outside the top view."""

TOP_CAMERA = np.array([0.385, 0.0, 0.75])
TOP_FOVY_DEG = 36.0
PRESENTATION = "presentation"
"""Name of the camera that shows the whole cell to people; policies never see it."""


@dataclass(frozen=True)
class TaskXml:
    """What a task adds to the cell: MJCF of its bodies, and elements of the sections they need."""

    model: str  # name of the model
    bodies: str
    movables: str = ""  # free bodies; after the arms, so that the arms' joints come first
    contact: str = ""
    equality: str = ""
    assets: str = ""


def cell_xml(contract: Contract, task: TaskXml) -> str:
    """The complete MJCF.

    Raises SimulationError unless the contract describes two arms of six joints and a gripper each and has only
    cameras that the cell owns.
    """
    expected = tuple(f"{arm}_{name}" for arm in ARMS for name in (*(f"joint{i}" for i in range(1, 7)), "gripper"))
    if contract.joint_names != expected:
        raise SimulationError(f"the simulated cell has joints {list(expected)}, not {list(contract.joint_names)}")
    unknown = set(contract.camera_names) - {"top", "wrist_left", "wrist_right"}
    if unknown:
        raise SimulationError(f"no camera {sorted(unknown)} in the simulated cell: top, wrist_left, wrist_right")
    arms = [
        piper_xml(arm, ARM_BASE[arm], contract.joints[7 * i : 7 * i + 7], contract.dh_convention)
        for i, arm in enumerate(ARMS)
    ]
    return f"""<mujoco model="{task.model}">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="{TIMESTEP}" integrator="implicitfast" cone="elliptic" impratio="3"/>
  <visual>
    <quality offsamples="0" numslices="12" numstacks="8" numquads="2" shadowsize="0"/>
    <headlight active="0"/>
    <map znear=".02" zfar="20"/>
    <global offwidth="640" offheight="480"/>
  </visual>
  <default>
    <geom contype="0" conaffinity="0" condim="3" friction="1 .005 .0001"/>
    <joint axis="0 0 1"/>
  </default>
  <asset>{task.assets}</asset>
  <worldbody>
    <light name="key" directional="true" pos="0 0 2" dir=".2 .1 -1" diffuse=".6 .6 .6" ambient=".35 .35 .35"
      specular="0 0 0" castshadow="false"/>
    <light name="fill" directional="true" pos="0 0 2" dir="-.5 -.3 -1" diffuse=".25 .25 .25" specular="0 0 0"
      castshadow="false"/>
    <camera name="top" pos="{TOP_CAMERA[0]} {TOP_CAMERA[1]} {TOP_CAMERA[2]}" xyaxes="0 -1 0 1 0 0"
      fovy="{TOP_FOVY_DEG}"/>
    <camera name="{PRESENTATION}" pos="0.98 -0.52 0.56" xyaxes="0.565 0.825 0 -0.342 0.234 0.910" fovy="40"/>
    <geom name="table" type="plane" size="3 3 .1" rgba=".52 .50 .47 1" {WORLD_BITS}/>
    {task.bodies}
    {"".join(arm.body for arm in arms)}
    {task.movables}
  </worldbody>
  <contact>{"".join(arm.contact for arm in arms)}{task.contact}</contact>
  <tendon>{"".join(arm.tendon for arm in arms)}</tendon>
  <equality>{"".join(arm.equality for arm in arms)}{task.equality}</equality>
  <actuator>{"".join(arm.actuator for arm in arms)}</actuator>
</mujoco>"""
