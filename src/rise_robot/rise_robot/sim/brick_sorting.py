"""Dynamic Brick Sorting: what may be asked of an episode (config) and what a seed makes of it (setup)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from rise_robot.core.errors import SimulationError
from rise_robot.core.instructions import INSTRUCTIONS
from rise_robot.sim.cell import ARM_SIDE, ARMS
from rise_robot.sim.clutter import MAX_CLUTTER, Thing, draw_clutter
from rise_robot.sim.scene import COLOURS, LANE_Y

MAX_BRICKS = 4


@dataclass(frozen=True)
class BrickSortingConfig:
    """What `reset(seed)` may draw.

    Attributes:
        bricks: how many bricks, or the (lowest, highest) number, 1 to 4.
        colours: of the bricks; no colour comes twice in one episode.
        belt_speed: (lowest, highest), m/s.
        lighting: (lowest, highest) factor on all lights.
        clutter: (lowest, highest) number of things that lie about beside the belt, 0 to 4.
        home_noise: standard deviation of the start pose, rad.
        settle: time that an episode goes on after its last brick was decided, s.
        time_limit: s; None is 10 s and 6 s more for every further brick of the busier arm.
    """

    bricks: int | tuple[int, int] = (1, MAX_BRICKS)
    colours: tuple[str, ...] = tuple(COLOURS)
    belt_speed: tuple[float, float] = (0.05, 0.15)
    lighting: tuple[float, float] = (0.75, 1.1)
    clutter: tuple[int, int] = (0, 0)
    home_noise: float = 0.02
    settle: float = 0.6
    time_limit: float | None = None

    def __post_init__(self) -> None:
        low, high = self.brick_range
        if not 1 <= low <= high <= MAX_BRICKS:
            raise SimulationError(f"bricks must lie within 1 and {MAX_BRICKS}, got {self.bricks}")
        if not 0 <= self.clutter[0] <= self.clutter[1] <= MAX_CLUTTER:
            raise SimulationError(f"clutter must lie within 0 and {MAX_CLUTTER}, got {self.clutter}")
        if unknown := set(self.colours) - set(COLOURS):
            raise SimulationError(f"unknown colours {sorted(unknown)}; known ones are {list(COLOURS)}")
        if len(set(self.colours)) != len(self.colours) or len(self.colours) < high:
            raise SimulationError(f"{high} bricks need as many different colours, got {list(self.colours)}")

    @property
    def brick_range(self) -> tuple[int, int]:
        return (self.bricks, self.bricks) if isinstance(self.bricks, int) else self.bricks


BRICK_LEVELS = {
    "easy": BrickSortingConfig(bricks=1, belt_speed=(0.05, 0.08), lighting=(0.95, 1.05)),
    "default": BrickSortingConfig(),
    "hard": BrickSortingConfig(
        bricks=MAX_BRICKS, belt_speed=(0.12, 0.18), lighting=(0.5, 1.3), clutter=(2, MAX_CLUTTER), home_noise=0.04
    ),
    "steady": BrickSortingConfig(bricks=2, belt_speed=(0.1, 0.1)),
}


@dataclass(frozen=True)
class BrickSpec:
    """One brick as drawn: its colour, the arm of its lane, and its pose when it comes onto the belt at `enter_time`."""

    name: str
    colour: str
    arm: str
    enter_time: float
    position: tuple[float, float]  # x, y, m
    yaw: float  # rad

    @property
    def subject(self) -> str:
        return f"{self.name}/{self.colour}"


@dataclass(frozen=True)
class EpisodeSetup:
    """Everything that a seed decides."""

    bricks: tuple[BrickSpec, ...]
    belt_speed: float  # m/s
    lighting: float
    time_limit: float  # s
    home_offset: np.ndarray = field(repr=False)  # (12,) rad
    clutter: tuple[Thing, ...] = ()

    @property
    def instruction(self) -> str:
        return INSTRUCTIONS["brick_sorting"]


def draw_setup(config: BrickSortingConfig, rng: np.random.Generator) -> EpisodeSetup:
    """Draw an episode; the lanes take turns, so that both arms get the same number of bricks or one more."""
    low, high = config.brick_range
    count = int(rng.integers(low, high + 1))
    colours = rng.permutation(np.array(config.colours, dtype=object))[:count]
    first = int(rng.integers(2))
    belt_speed = float(rng.uniform(*config.belt_speed))
    bricks = tuple(_draw_brick(i, str(colours[i]), ARMS[(first + i) % 2], rng) for i in range(count))
    limit = config.time_limit if config.time_limit is not None else 10.0 + 6.0 * (math.ceil(count / 2) - 1)
    lighting = float(rng.uniform(*config.lighting))
    home_offset = rng.normal(0.0, config.home_noise, 12)
    return EpisodeSetup(bricks, belt_speed, lighting, limit, home_offset, draw_clutter(config.clutter, rng))


def _draw_brick(i: int, colour: str, arm: str, rng: np.random.Generator) -> BrickSpec:
    turn = i // 2
    x = rng.uniform(0.50, 0.56) if turn == 0 else 0.64  # later ones come in from outside the top view
    y = ARM_SIDE[arm] * (LANE_Y + rng.uniform(-0.008, 0.008))
    enter_time = 0.0 if turn == 0 else 4.0 * turn + rng.uniform(0.0, 0.8)
    return BrickSpec(f"brick_{i + 1}", colour, arm, float(enter_time), (float(x), float(y)), float(rng.normal(0, 0.06)))
