"""Things that lie about beside the belt in the colours of bricks: nobody asks for them, hands can knock them over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.sim.cell import ARM_SIDE
from rise_robot.sim.piper import BRICK_BITS
from rise_robot.sim.scene import COLOURS

CLUTTER_HEIGHT = 0.025  # m, half
_CAN, _BLOCK = ("cylinder", f".024 {CLUTTER_HEIGHT}"), ("box", f".028 .020 {CLUTTER_HEIGHT}")
_THINGS = (("red", _CAN), ("blue", _BLOCK), ("yellow", _CAN), ("green", _BLOCK))
MAX_CLUTTER = len(_THINGS)
_PLACES = tuple((side, y) for side in ARM_SIDE.values() for y in (0.15, 0.26))
"""Sign of y, and |y| in m: beyond the bins, in sight of the top camera. Two things fit there side by side."""
_X = (0.50, 0.60)  # m


@dataclass(frozen=True)
class Thing:
    """One of them, and where it stands."""

    name: str
    position: tuple[float, float, float]  # m, of its middle
    yaw: float  # rad


def clutter_name(i: int) -> str:
    """Body, joint and geom of thing `i`."""
    return f"clutter_{i + 1}"


def draw_clutter(span: tuple[int, int], rng: np.random.Generator) -> tuple[Thing, ...]:
    """(lowest, highest) number of things -> as many, each at a place of its own."""
    count = int(rng.integers(span[0], span[1] + 1))
    places = rng.permutation(MAX_CLUTTER)[:count]
    return tuple(_draw_thing(i, *_PLACES[place], rng) for i, place in enumerate(places))


def _draw_thing(i: int, side: float, y: float, rng: np.random.Generator) -> Thing:
    x, dy, yaw = rng.uniform(*_X), rng.uniform(-0.015, 0.015), rng.uniform(-np.pi, np.pi)
    return Thing(clutter_name(i), (float(x), side * (y + float(dy)), CLUTTER_HEIGHT + 0.0005), float(yaw))


def clutter_xml(count: int) -> str:
    """MJCF of `count` free bodies."""
    return "".join(
        f'<body name="{clutter_name(i)}" pos="-3 {i} .2"><freejoint name="{clutter_name(i)}"/>'
        f'<geom name="{clutter_name(i)}" type="{shape}" size="{size}" mass=".06" friction="1 .01 .0005" '
        f'rgba="{" ".join(str(channel) for channel in COLOURS[colour])} 1" {BRICK_BITS}/></body>'
        for i, (colour, (shape, size)) in enumerate(_THINGS[:count])
    )
