"""Backpack Packing: what may be asked of an episode (config) and what a seed makes of it (setup)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rise_robot.core.errors import SimulationError
from rise_robot.core.instructions import INSTRUCTIONS
from rise_robot.sim.cell import ARM_SIDE, ARMS


@dataclass(frozen=True)
class BackpackPackingConfig:
    """What `reset(seed)` may draw.

    Attributes:
        place_noise: (bag, clothes) largest displacement along x and y, m.
        yaw: (bag, clothes) largest turn, rad.
        zip_friction: force that moves the zip's slider, N; above what holds the bag on the table, so that one arm must
            hold it. The model is built for it, so that it is no matter of the seed.
        lighting: (lowest, highest) factor on all lights.
        home_noise: standard deviation of the start pose, rad.
        settle: s for which the bag must stand zipped.
        time_limit: s.
    """

    place_noise: tuple[float, float] = (0.010, 0.02)
    yaw: tuple[float, float] = (0.05, 0.3)
    zip_friction: float = 6.0
    lighting: tuple[float, float] = (0.75, 1.1)
    home_noise: float = 0.02
    settle: float = 0.6
    time_limit: float = 45.0

    def __post_init__(self) -> None:
        if not (self.zip_friction > 0 and self.time_limit > 0):
            raise SimulationError(f"zip friction and time limit must be above 0, got {self}")


BACKPACK_LEVELS = {
    "easy": BackpackPackingConfig(place_noise=(0.003, 0.005), yaw=(0.01, 0.1), zip_friction=3.0, lighting=(0.95, 1.05)),
    "default": BackpackPackingConfig(),
    "hard": BackpackPackingConfig(
        place_noise=(0.02, 0.035), yaw=(0.12, 0.6), zip_friction=8.0, lighting=(0.5, 1.3), home_noise=0.04
    ),
}


@dataclass(frozen=True)
class BackpackSetup:
    """Everything that a seed decides."""

    bag: tuple[float, float, float]  # x, y in m and yaw in rad
    clothes: tuple[float, float, float]  # x, y in m and yaw in rad
    arm: str  # on whose side the clothes lie
    lighting: float
    time_limit: float  # s
    home_offset: np.ndarray = field(repr=False)  # (12,) rad

    @property
    def instruction(self) -> str:
        return INSTRUCTIONS["backpack_packing"]


def draw_setup(config: BackpackPackingConfig, rng: np.random.Generator) -> BackpackSetup:
    """Draw an episode."""
    arm = ARMS[int(rng.integers(2))]
    bag_noise, clothes_noise = config.place_noise
    x, y, yaw = rng.uniform(-1.0, 1.0, 3) * (bag_noise, bag_noise, config.yaw[0])
    dx, dy, turn = rng.uniform(-1.0, 1.0, 3) * (clothes_noise, clothes_noise, config.yaw[1])
    return BackpackSetup(
        bag=(0.385 + float(x), float(y), float(yaw)),
        clothes=(0.25 + float(dx), ARM_SIDE[arm] * 0.20 + float(dy), float(turn)),
        arm=arm,
        lighting=float(rng.uniform(*config.lighting)),
        time_limit=config.time_limit,
        home_offset=rng.normal(0.0, config.home_noise, 12),
    )
