"""MJCF of the box-closing cell: a cardboard box with two side flaps, a rear flap that carries a tab, and a cup.

Box frame: origin on the table under the middle of the box, x away from the arms, z up. The rear flap is hinged at
the far wall; its tab goes down behind the near wall. Creases are plastic: they spring back by CREASE at most.
"""

from __future__ import annotations

import math

from rise_robot.core.contract import Contract
from rise_robot.sim.cell import TaskXml, cell_xml
from rise_robot.sim.piper import BRICK_BITS
from rise_robot.sim.walls import walls_xml

BOX_X, BOX_Y, BOX_HEIGHT = 0.052, 0.056, 0.10  # m, half sizes inside and height of the walls
WALL = 0.003  # m, thickness
SIDE_LENGTH, LID_LENGTH, TAB_LENGTH = 0.045, 0.088, 0.030  # m, from crease to edge
SIDE_X = (-0.028, 0.046)  # m, along the box
LID_HALF_WIDTH, TAB_HALF_WIDTH = 0.047, 0.040  # m
CUP_RADIUS, CUP_HEIGHT = 0.025, 0.072  # m
CUP_WALL = 0.003  # m, thickness
CUP_STAVES = tuple(f"cup_{i + 1}" for i in range(8))
"""Geoms of the cup's wall."""
CREASE = 0.2  # rad
SIDES = {"left": 1.0, "right": -1.0}  # sign of y
FLAPS = ("flap_left", "flap_right", "lid", "tab")
"""Hinges. Side flaps and lid: 0 is closed, pi / 2 upright. Tab: 0 in the plane of the lid, pi / 2 folded down."""

_CARD, _INSIDE, _EDGE = ".74 .56 .36 1", ".60 .44 .27 1", ".93 .86 .70 1"
_PAPER = f'friction=".5 .005 .0001" {BRICK_BITS}'


def box_scene_xml(contract: Contract, stiffness: float) -> str:
    """The complete MJCF; `stiffness` of the creases in N m / rad."""
    return cell_xml(contract, TaskXml("rise_box_closing", "", _box(stiffness) + _cup()))


def _box(stiffness: float) -> str:
    card = f'mass=".06" rgba="{_CARD}" friction=".8 .005 .0001" {BRICK_BITS}'
    parts = walls_xml("box", (BOX_X, BOX_Y), BOX_HEIGHT, WALL, card)
    floor = (
        f'<geom name="box_floor" type="box" pos="0 0 .0015" size="{BOX_X} {BOX_Y} .0015" mass=".12" rgba="{_INSIDE}" '
        f'friction="1 .005 .0001" {BRICK_BITS}/>'
    )
    sides = "".join(_side_flap(side, sign, stiffness) for side, sign in SIDES.items())
    return f'<body name="box" pos="0 0 0"><freejoint name="box"/>{parts}{floor}{sides}{_lid(stiffness)}</body>'


def _crease(name: str, axis: str, span: str, stiffness: float) -> str:
    return (
        f'<joint name="{name}" type="hinge" axis="{axis}" range="{span}" stiffness="{stiffness}" '
        f'springyield="{CREASE}" frictionloss="{0.2 * stiffness}" damping=".004" armature="1e-5"/>'
    )


def _side_flap(side: str, sign: float, stiffness: float) -> str:
    middle, half = (SIDE_X[0] + SIDE_X[1]) / 2, (SIDE_X[1] - SIDE_X[0]) / 2
    return (
        f'<body name="flap_{side}" pos="{middle} {sign * BOX_Y} {BOX_HEIGHT}">'
        f"{_crease(f'flap_{side}', f'{-sign} 0 0', '-.15 2.4', stiffness)}"
        f'<geom name="flap_{side}" type="box" pos="0 {-sign * SIDE_LENGTH / 2} 0" '
        f'size="{half} {SIDE_LENGTH / 2} .002" mass=".006" rgba="{_CARD}" {_PAPER}/></body>'
    )


def _lid(stiffness: float) -> str:
    tab = (
        f'<body name="tab" pos="{-LID_LENGTH} 0 0">{_crease("tab", "0 -1 0", "-.1 2.2", 0.4 * stiffness)}'
        f'<geom name="tab" type="box" pos="{-TAB_LENGTH / 2} 0 0" size="{TAB_LENGTH / 2} {TAB_HALF_WIDTH} .0015" '
        f'mass=".003" rgba="{_EDGE}" {_PAPER}/></body>'
    )
    return (
        f'<body name="lid" pos="{BOX_X} 0 {BOX_HEIGHT + 0.004}">{_crease("lid", "0 1 0", "-.05 2.4", stiffness)}'
        f'<geom name="lid" type="box" pos="{-LID_LENGTH / 2} 0 0" size="{LID_LENGTH / 2} {LID_HALF_WIDTH} .002" '
        f'mass=".010" rgba="{_CARD}" {_PAPER}/>{tab}</body>'
    )


def _cup() -> str:
    """Hollow: a floor, and a wall of flat staves, two of which face the fingers."""
    half, t, turn = CUP_HEIGHT / 2, CUP_WALL / 2, 2.0 * math.pi / len(CUP_STAVES)
    middle, width = CUP_RADIUS - t, CUP_RADIUS * math.tan(turn / 2)
    material = f'condim="4" friction="1 .01 .0005" {BRICK_BITS}'
    staves = "".join(
        f'<geom name="{name}" type="box" pos="{middle * math.cos(i * turn):.6f} {middle * math.sin(i * turn):.6f} 0" '
        f'euler="0 0 {i * turn:.6f}" size="{t} {width:.6f} {half}" mass="{0.05 / len(CUP_STAVES):.6f}" '
        f'rgba=".13 .42 .75 1" {material}/>'
        for i, name in enumerate(CUP_STAVES)
    )
    floor = (
        f'<geom name="cup_floor" type="cylinder" pos="0 0 {t - half}" size="{CUP_RADIUS - CUP_WALL} {t}" mass=".01" '
        f'rgba=".95 .95 .93 1" {material}/>'
    )
    return f'<body name="cup" pos="0 .2 {half}"><freejoint name="cup"/>{staves}{floor}</body>'
