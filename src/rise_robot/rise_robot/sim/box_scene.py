"""MJCF of the box-closing cell: a cardboard box with two side flaps, a rear flap that carries a tab, and a cup.

Box frame: origin on the table under the middle of the box, x away from the arms, z up. The rear flap is hinged at
the far wall; its tab goes down behind the near wall. Creases are plastic: they spring back by CREASE at most.
"""

from __future__ import annotations

from rise_robot.core.contract import Contract
from rise_robot.sim.cell import TaskXml, cell_xml
from rise_robot.sim.piper import BRICK_BITS

BOX_X, BOX_Y, BOX_HEIGHT = 0.052, 0.056, 0.10  # m, half sizes inside and height of the walls
WALL = 0.003  # m, thickness
SIDE_LENGTH, LID_LENGTH, TAB_LENGTH = 0.045, 0.088, 0.030  # m, from crease to edge
SIDE_X = (-0.028, 0.046)  # m, along the box
LID_HALF_WIDTH, TAB_HALF_WIDTH = 0.047, 0.040  # m
CUP_RADIUS, CUP_HEIGHT = 0.025, 0.072  # m
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
    t, h = WALL / 2, BOX_HEIGHT / 2
    walls = (
        ("far", BOX_X + t, 0.0, t, BOX_Y + WALL),
        ("near", -BOX_X - t, 0.0, t, BOX_Y + WALL),
        ("left", 0.0, BOX_Y + t, BOX_X, t),
        ("right", 0.0, -BOX_Y - t, BOX_X, t),
    )
    parts = "".join(
        f'<geom name="box_{name}" type="box" pos="{x} {y} {h}" size="{sx} {sy} {h}" mass=".06" rgba="{_CARD}" '
        f'friction=".8 .005 .0001" {BRICK_BITS}/>'
        for name, x, y, sx, sy in walls
    )
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
    half = CUP_HEIGHT / 2
    return (
        f'<body name="cup" pos="0 .2 {half}"><freejoint name="cup"/>'
        f'<geom name="cup" type="cylinder" size="{CUP_RADIUS} {half}" mass=".06" condim="4" friction="1 .01 .0005" '
        f'rgba=".13 .42 .75 1" {BRICK_BITS}/>'
        f'<geom type="cylinder" pos="0 0 {half}" size="{CUP_RADIUS - 0.003} .0005" mass="0" rgba=".95 .95 .93 1"/>'
        f"</body>"
    )
