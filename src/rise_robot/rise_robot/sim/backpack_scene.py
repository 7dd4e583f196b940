"""MJCF of the backpack cell: a bag with a soft mouth and a zip, two side handles, and a bundle of clothes.

Bag frame: origin under the middle of the bag, x away from the arms, z up; the zip runs along y. The mouth consists of
strips hinged on the near and the far wall. A strip that the zip's slider has passed is drawn to its partner (an
equality constraint per strip that `backpack_zip.py` switches); the others hang by their own stiffness.
"""

from __future__ import annotations

import math

from rise_robot.core.contract import Contract
from rise_robot.sim.cell import TaskXml, cell_xml
from rise_robot.sim.piper import BRICK_BITS
from rise_robot.sim.walls import walls_xml

BAG_X, BAG_Y, BAG_HEIGHT = 0.055, 0.088, 0.09  # m, half sizes inside and height of the walls
WALL = 0.004  # m, thickness
STRIPS = 6  # on each side of the mouth
STRIP_LENGTH = 0.065  # m
CLOSED = math.asin(BAG_X / STRIP_LENGTH)  # rad, leaning inwards from upright
HANGING = 0.15  # rad, at which strips hang while the zip is open
ZIP_Z = BAG_HEIGHT + STRIP_LENGTH * math.cos(CLOSED)  # m
ZIP_Y = 0.062  # m; the slider runs from one end to the other
HANDLE_Y, HANDLE_Z = 0.142, 0.085  # m, middle of the handles
HANDLE_HALF = (0.026, 0.004, 0.022)  # m
PULLER_Z = ZIP_Z + 0.026  # m, middle of the puller's tab
PIECES = ("clothes_1", "clothes_2", "clothes_3")
"""Geoms of the bundle; the middle one, which is the free body, comes first."""
PIECE_HALF = (0.026, 0.025, 0.024)  # m
MOUTHS = {"near": -1.0, "far": 1.0}  # sign of x

_CLOTH, _DARK, _STRIP, _ZIP = ".16 .33 .42 1", ".10 .21 .28 1", ".20 .42 .53 1", ".95 .75 .10 1"
_BODY = f'friction=".7 .005 .0001" {BRICK_BITS}'


def strip_name(mouth: str, i: int) -> str:
    """Joint, body, geom and equality of strip `i`, counted from the zip's start at -y."""
    return f"strip_{mouth}_{i + 1}"


def backpack_scene_xml(contract: Contract, zip_friction: float) -> str:
    """The complete MJCF; `zip_friction` is the force in N that moves the slider."""
    equality = "".join(
        f'<joint name="{strip_name(mouth, i)}" joint1="{strip_name(mouth, i)}" polycoef="{CLOSED} 0 0 0 0" '
        f'active="false" solref=".04 1" solimp=".5 .9 .05"/>'
        for mouth in MOUTHS
        for i in range(STRIPS)
    )
    return cell_xml(contract, TaskXml("rise_backpack_packing", "", _bag(zip_friction) + _clothes(), equality=equality))


def _bag(zip_friction: float) -> str:
    parts = walls_xml("bag", (BAG_X, BAG_Y), BAG_HEIGHT, WALL, f'mass=".05" rgba="{_CLOTH}" {_BODY}')
    floor = (
        f'<geom name="bag_floor" type="box" pos="0 0 .002" size="{BAG_X} {BAG_Y} .002" mass=".10" rgba="{_DARK}" '
        f"{_BODY}/>"
    )
    handles = "".join(_handle(side, sign) for side, sign in (("left", 1.0), ("right", -1.0)))
    strips = "".join(_strip(mouth, sign, i) for mouth, sign in MOUTHS.items() for i in range(STRIPS))
    return (
        f'<body name="bag" pos="0 0 0"><freejoint name="bag"/>{parts}{floor}{handles}{strips}'
        f"{_puller(zip_friction)}</body>"
    )


def _handle(side: str, sign: float) -> str:
    """A stiff grip that collides, and the straps that carry it, which are only shown."""
    size = " ".join(str(half) for half in HANDLE_HALF)
    strap_y, half = sign * (BAG_Y + HANDLE_Y) / 2, (HANDLE_Y - BAG_Y) / 2
    straps = "".join(
        f'<geom type="box" pos="{x} {strap_y} {BAG_HEIGHT - 0.006}" size=".005 {half} .003" mass="0" rgba="{_DARK}"/>'
        for x in (-HANDLE_HALF[0] + 0.005, HANDLE_HALF[0] - 0.005)
    )
    return (
        f'<geom name="handle_{side}" type="box" pos="0 {sign * HANDLE_Y} {HANDLE_Z}" size="{size}" mass=".01" '
        f'condim="4" friction="1.2 .02 .001" rgba="{_ZIP}" {BRICK_BITS}/>{straps}'
    )


def _strip(mouth: str, sign: float, i: int) -> str:
    name, half = strip_name(mouth, i), BAG_Y / STRIPS
    y = -BAG_Y + (2 * i + 1) * half
    rgba = _STRIP if i % 2 else _CLOTH
    return (
        f'<body name="{name}" pos="{sign * BAG_X} {y} {BAG_HEIGHT}">'
        f'<joint name="{name}" type="hinge" axis="0 {-sign} 0" range="-1.2 {CLOSED + 0.05}" stiffness=".02" '
        f'springref="{HANGING}" damping=".003" armature="1e-5"/>'
        f'<geom name="{name}" type="box" pos="0 0 {STRIP_LENGTH / 2}" size=".0015 {half - 0.0006} {STRIP_LENGTH / 2}" '
        f'mass=".003" friction=".4 .005 .0001" rgba="{rgba}" {BRICK_BITS}/></body>'
    )


def _puller(zip_friction: float) -> str:
    return (
        f'<body name="puller" pos="0 0 {ZIP_Z}">'
        f'<joint name="puller" type="slide" axis="0 1 0" range="{-ZIP_Y} {ZIP_Y}" frictionloss="{zip_friction}" '
        f'damping="4" armature=".05"/>'
        f'<geom name="puller" type="box" pos="0 0 {PULLER_Z - ZIP_Z}" size=".007 .005 .016" mass=".008" condim="4" '
        f'friction="1.2 .02 .001" rgba="{_ZIP}" {BRICK_BITS}/>'
        f'<geom type="box" pos="0 0 .004" size=".009 .008 .006" mass=".004" rgba=".3 .3 .3 1"/></body>'
    )


def _clothes() -> str:
    size = " ".join(str(half) for half in PIECE_HALF)
    geom = (
        f'<geom name="{{name}}" type="ellipsoid" size="{size}" mass=".022" condim="4" friction="1 .01 .0005" '
        f'rgba="{{rgba}}" {BRICK_BITS}/>'
    )
    ends = "".join(
        f'<body name="{name}" pos="{sign * 0.022} 0 0">'
        f'<joint name="{name}" type="ball" stiffness=".002" damping=".002" armature="2e-5"/>'
        f'<body pos="{sign * 0.022} 0 0">{geom.format(name=name, rgba=rgba)}</body></body>'
        for name, sign, rgba in ((PIECES[1], -1, ".85 .30 .25 1"), (PIECES[2], 1, ".90 .82 .70 1"))
    )
    middle = geom.format(name=PIECES[0], rgba=".88 .52 .22 1")
    return f'<body name="clothes" pos="0 .2 .03"><freejoint name="clothes"/>{middle}{ends}</body>'
