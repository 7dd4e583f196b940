"""MJCF of one AgileX Piper arm: primitive geometry on the modified-DH frames of `kinematics.py`.

Gains are those that tracked well in simulation; gravity is compensated, as the arm's firmware does. Two slide
fingers share one tendon, so that one command in metres of opening (0 to 0.07) drives both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rise_robot.core.contract import JointSpec
from rise_robot.sim.kinematics import ALPHA, TOOL_Z, A, D, theta_offset

KP = (300.0, 300.0, 300.0, 120.0, 80.0, 60.0)  # N m / rad
KV = (15.0, 15.0, 15.0, 5.0, 3.0, 2.0)  # N m s / rad
GRIPPER_KP, GRIPPER_KV, GRIPPER_FORCE = 800.0, 20.0, 20.0  # N / m, N s / m, N

# Collision bits: world 1, brick 2, gripper 4. Arm links above the gripper are shown and do not collide.
WORLD_BITS = 'contype="1" conaffinity="0"'
BRICK_BITS = 'contype="2" conaffinity="3"'
GRIPPER_BITS = 'contype="4" conaffinity="7"'

_MASS = (0.71, 1.17, 0.50, 0.38, 0.38, 0.35)  # kg, links 1 to 6; about the 4.2 kg of the arm with its base
_SHELL, _DARK, _FINGER = "0.75 0.76 0.78 1", "0.16 0.16 0.18 1", "0.93 0.93 0.90 1"
_LINK_GEOMS = (
    '<geom type="cylinder" size=".042 .035" mass="{m}" rgba="{shell}"/>',
    '<geom type="capsule" fromto="0 0 0 .285 0 0" size=".034" mass="{m}" rgba="{shell}"/>',
    '<geom type="capsule" fromto="0 0 0 -.022 -.2 0" size=".030" mass="{m}" rgba="{shell}"/>',
    '<geom type="cylinder" size=".030 .034" mass="{m}" rgba="{dark}"/>',
    '<geom type="capsule" fromto="0 0 0 0 -.06 0" size=".027" mass="{m}" rgba="{shell}"/>',
    '<geom type="box" pos="0 0 .045" size=".022 .045 .030" mass="{m}" rgba="{dark}" {bits}/>',
)


@dataclass(frozen=True)
class ArmXml:
    """The parts of one arm, to be pasted into the sections of a scene."""

    body: str
    actuator: str
    tendon: str
    equality: str
    contact: str


def piper_xml(prefix: str, base: np.ndarray, joints: Sequence[JointSpec], convention: str) -> ArmXml:
    """Build the arm `prefix` ("left" or "right") at `base` (3,) m, facing +x.

    Args:
        joints: six revolute joints and the gripper, in order; their limits become joint and actuator ranges.
        convention: `contract.dh_convention`.
    """
    offsets = theta_offset(convention)
    body = _gripper(prefix)
    for i in reversed(range(6)):
        geom = _LINK_GEOMS[i].format(m=_MASS[i], shell=_SHELL, dark=_DARK, bits=GRIPPER_BITS)
        joint = joints[i]
        body = (
            f'<body name="{prefix}_link{i + 1}" {_link_frame(i, offsets[i])} gravcomp="1">\n'
            f'<joint name="{joint.name}" range="{joint.lower} {joint.upper}" armature=".02" damping=".5"/>\n'
            f"{geom}\n{body}\n</body>"
        )
    body = (
        f'<body name="{prefix}_base" pos="{base[0]} {base[1]} {base[2]}">\n'
        f'<geom type="cylinder" fromto="0 0 0 0 0 .085" size=".05" rgba="{_DARK}"/>\n{body}\n</body>'
    )
    return ArmXml(body, _actuators(joints), _tendon(prefix, joints[6]), _equality(prefix), _exclude(prefix))


def _link_frame(i: int, offset: float) -> str:
    """`pos` and `quat` of link i+1 in link i at joint angle 0: Rx(alpha) Tx(a) Rz(offset) Tz(d)."""
    alpha = ALPHA[i]
    ca, sa, co, so = np.cos(alpha / 2), np.sin(alpha / 2), np.cos(offset / 2), np.sin(offset / 2)
    pos = (A[i], -np.sin(alpha) * D[i], np.cos(alpha) * D[i])
    quat = (ca * co, sa * co, -sa * so, ca * so)
    return f'pos="{" ".join(f"{x:.9f}" for x in pos)}" quat="{" ".join(f"{x:.12f}" for x in quat)}"'


def _gripper(prefix: str) -> str:
    """Fingers opening along +-y of link 6, the tool site between their tips and the wrist camera."""
    fingers = "\n".join(
        f'<body name="{prefix}_finger_{side}" pos="0 0 {TOOL_Z}" gravcomp="1">'
        f'<joint name="{prefix}_finger_{side}" type="slide" axis="0 {sign} 0" range="0 .036" armature=".05" '
        f'damping="1"/>'
        f'<geom name="{prefix}_pad_{side}" type="box" pos="0 {sign * 0.006} -.018" size=".011 .006 .031" mass=".04" '
        f'friction="1.5 .02 .001" condim="4" rgba="{_FINGER}" {GRIPPER_BITS}/></body>'
        for side, sign in (("a", 1), ("b", -1))
    )
    return (
        f'<site name="{prefix}_tool" pos="0 0 {TOOL_Z}" size=".003" rgba="0 0 0 0"/>\n'
        f'<camera name="wrist_{prefix}" pos="-.075 0 .035" xyaxes="0 -1 0 -.860 0 .510" fovy="72"/>\n{fingers}'
    )


def _actuators(joints: Sequence[JointSpec]) -> str:
    lines = [
        f'<position name="{joint.name}" joint="{joint.name}" kp="{KP[i]}" kv="{KV[i]}" '
        f'ctrlrange="{joint.lower} {joint.upper}"/>'
        for i, joint in enumerate(joints[:6])
    ]
    grip = joints[6]
    lines.append(
        f'<position name="{grip.name}" tendon="{grip.name}" kp="{GRIPPER_KP}" kv="{GRIPPER_KV}" '
        f'forcerange="-{GRIPPER_FORCE} {GRIPPER_FORCE}" ctrlrange="{grip.lower} {grip.upper}"/>'
    )
    return "\n".join(lines)


def _tendon(prefix: str, gripper: JointSpec) -> str:
    terms = "".join(f'<joint joint="{prefix}_finger_{side}" coef="1"/>' for side in "ab")
    return f'<fixed name="{gripper.name}">{terms}</fixed>'


def _equality(prefix: str) -> str:
    return f'<joint joint1="{prefix}_finger_a" joint2="{prefix}_finger_b" solref=".005 1"/>'


def _exclude(prefix: str) -> str:
    return (
        f'<exclude body1="{prefix}_finger_a" body2="{prefix}_finger_b"/>'
        f'<exclude body1="{prefix}_link6" body2="{prefix}_finger_a"/>'
        f'<exclude body1="{prefix}_link6" body2="{prefix}_finger_b"/>'
    )
