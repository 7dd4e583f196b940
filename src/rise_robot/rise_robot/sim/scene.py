"""MJCF of the brick-sorting cell: between the arms a belt, and two sets of four bins beside it.

World frame as in `cell.py`. The belt runs towards the arms (-x). Bricks travel in one of two lanes; the lane decides
the arm (left lane, left arm). Each arm has its own copy of the four bins beside the belt; the colour of a rim decides
the bin.
"""

from __future__ import annotations

import itertools

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.sim.cell import ARM_SIDE, ARMS, TaskXml, cell_xml
from rise_robot.sim.painted_boxes import Box, painted
from rise_robot.sim.piper import BRICK_BITS, WORLD_BITS

LANE_Y = 0.062  # |y| of the two lanes

BELT_X = (0.235, 0.80)
BELT_HALF_WIDTH = 0.09
BELT_TOP = 0.04
BRICK_HALF = np.array([0.026, 0.020, 0.020])
SHELF = np.array([-2.0, 0.0, 0.0])  # behind the arms: where bricks wait that are not on the belt yet

COLOURS = {
    "red": (0.86, 0.07, 0.07),
    "green": (0.08, 0.62, 0.13),
    "blue": (0.08, 0.20, 0.90),
    "yellow": (0.95, 0.80, 0.04),
}
# Inner and outer column, near and far row: (row, column) per colour, mirrored for the right arm.
_BIN_CELL = {"red": (0, 0), "green": (1, 0), "blue": (0, 1), "yellow": (1, 1)}
_BIN_ROW_X, _BIN_COLUMN_Y = (0.272, 0.390), (0.147, 0.247)
BIN_CENTRES = {
    (arm, colour): (_BIN_ROW_X[row], ARM_SIDE[arm] * _BIN_COLUMN_Y[column])
    for arm in ARMS
    for colour, (row, column) in _BIN_CELL.items()
}
"""x and y in m of the bin of a colour that belongs to an arm."""
BIN_HALF = np.array([0.058, 0.049])  # outer half size along x and y
BIN_WALL = 0.010
BIN_TOP = 0.045
_BIN_INSIDE = ".10 .10 .11 1"


def scene_xml(contract: Contract, bricks: int, others: str = "") -> str:
    """The complete MJCF with `bricks` free bricks named brick_1..brick_n; SimulationError as `cell_xml`.

    Args:
        others: MJCF of further free bodies.
    """
    assets, bins = _bins()
    shelf = (
        f'<geom name="shelf" type="box" pos="{SHELF[0]} {SHELF[1]} -.05" size=".5 .5 .0501" rgba=".5 .5 .5 1" '
        f"{WORLD_BITS}/>"
    )
    movables = "\n".join(_brick(i) for i in range(bricks))
    return cell_xml(contract, TaskXml("rise_brick_sorting", _belt() + bins + shelf, movables + others, assets=assets))


def _belt() -> str:
    middle, half = sum(BELT_X) / 2, (BELT_X[1] - BELT_X[0]) / 2
    return (
        f'<geom name="belt" type="box" pos="{middle} 0 {BELT_TOP / 2}" size="{half} {BELT_HALF_WIDTH} {BELT_TOP / 2}" '
        f'surfacevel="-.1 0 0" rgba=".20 .20 .22 1" {WORLD_BITS}/>'
        f'<geom name="belt_middle" type="box" pos="{middle} 0 {BELT_TOP}" size="{half} .003 .0003" '
        f'rgba=".75 .75 .75 1"/>'
    )


def _bins() -> tuple[str, str]:
    """MJCF of assets and bodies: bins of four coloured walls, dark inside, so that a brick stays visible in the bin of
    its own colour."""
    walls = {colour: [wall for arm in ARMS for wall in _walls(arm, colour)] for colour in COLOURS}
    floors = [_floor(*place) for place in BIN_CENTRES]
    linings = [lining for place in BIN_CENTRES for lining in _linings(*place)]
    shown = [
        painted(f"bins_{colour}", " ".join(str(channel) for channel in (*COLOURS[colour], 1)), boxes)
        for colour, boxes in walls.items()
    ]
    shown.append(painted("bins_inside", _BIN_INSIDE, floors + linings))
    solid = [box.solid(WORLD_BITS) for box in (*itertools.chain(*walls.values()), *floors)]
    return "".join(asset for asset, _ in shown), "".join([*solid, *(geom for _, geom in shown)])


def _walls(arm: str, colour: str) -> list[Box]:
    (x, y), (hx, hy), t = BIN_CENTRES[arm, colour], BIN_HALF, BIN_WALL / 2
    places = ((x + hx - t, y, t, hy), (x - hx + t, y, t, hy), (x, y + hy - t, hx, t), (x, y - hy + t, hx, t))
    return [Box((wx, wy, BIN_TOP / 2), (sx, sy, BIN_TOP / 2)) for wx, wy, sx, sy in places]


def _floor(arm: str, colour: str) -> Box:
    x, y = BIN_CENTRES[arm, colour]
    return Box((x, y, 0.002), (*BIN_HALF, 0.002))


def _linings(arm: str, colour: str) -> list[Box]:
    """Thin sheets before the inner sides of the walls."""
    (x, y), (hx, hy) = BIN_CENTRES[arm, colour], BIN_HALF
    ix, iy, z = hx - BIN_WALL - 0.0002, hy - BIN_WALL - 0.0002, BIN_TOP / 2 - 0.001
    places = ((ix, 0, 0.0006, iy), (-ix, 0, 0.0006, iy), (0, iy, ix, 0.0006), (0, -iy, ix, 0.0006))
    return [Box((x + dx, y + dy, z), (sx, sy, z)) for dx, dy, sx, sy in places]


def _brick(i: int) -> str:
    size = " ".join(str(half) for half in BRICK_HALF)
    return (
        f'<body name="brick_{i + 1}" pos="{SHELF[0]} {0.1 * i} .0201"><freejoint name="brick_{i + 1}"/>'
        f'<geom name="brick_{i + 1}" type="box" size="{size}" mass=".05" condim="4" friction="1 .01 .0005" '
        f'rgba=".5 .5 .5 1" {BRICK_BITS}/></body>'
    )
