"""Box Closing: what may be asked of an episode (config) and what a seed makes of it (setup)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rise_robot.core.errors import SimulationError
from rise_robot.core.instructions import INSTRUCTIONS
from rise_robot.sim.cell import ARM_SIDE, ARMS


@dataclass(frozen=True)
class BoxClosingConfig:
    """What `reset(seed)` may draw.

    Attributes:
        place_noise: (box, cup) largest displacement along x and y, m.
        yaw: largest turn of the box, rad.
        flap_angle: (lowest, highest) of the open side flaps and the open rear flap, rad from closed.
        tab_angle: (lowest, highest) of the tab's crease, rad.
        stiffness: of the creases, N m / rad. The model is built for it, so that it is no matter of the seed.
        lighting: (lowest, highest) factor on all lights.
        home_noise: standard deviation of the start pose, rad.
        settle: s for which the box must stand closed.
        time_limit: s.
    """

    place_noise: tuple[float, float] = (0.012, 0.02)
    yaw: float = 0.06
    flap_angle: tuple[float, float] = (1.5, 1.9)
    tab_angle: tuple[float, float] = (1.0, 1.3)
    stiffness: float = 0.05
    lighting: tuple[float, float] = (0.75, 1.1)
    home_noise: float = 0.02
    settle: float = 0.6
    time_limit: float = 40.0

    def __post_init__(self) -> None:
        if not (0 <= self.flap_angle[0] <= self.flap_angle[1] <= 2.4 and self.stiffness > 0 and self.time_limit > 0):
            raise SimulationError(f"flap angles lie within 0 and 2.4 rad, stiffness and time above 0, got {self}")


BOX_LEVELS = {
    "easy": BoxClosingConfig(place_noise=(0.004, 0.005), yaw=0.02, tab_angle=(1.2, 1.3), lighting=(0.95, 1.05)),
    "default": BoxClosingConfig(),
    "hard": BoxClosingConfig(
        place_noise=(0.02, 0.035), yaw=0.15, flap_angle=(1.3, 2.1), tab_angle=(0.7, 1.2), lighting=(0.5, 1.3),
        home_noise=0.04,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class BoxSetup:
    """Everything that a seed decides."""

    box: tuple[float, float, float]  # x, y in m and yaw in rad
    cup: tuple[float, float]  # x, y, m
    arm: str  # on whose side the cup stands
    angles: tuple[float, float, float, float]  # of FLAPS, rad
    lighting: float
    time_limit: float  # s
    home_offset: np.ndarray = field(repr=False)  # (12,) rad

    @property
    def instruction(self) -> str:
        return INSTRUCTIONS["box_closing"]


def draw_setup(config: BoxClosingConfig, rng: np.random.Generator) -> BoxSetup:
    """Draw an episode."""
    arm = ARMS[int(rng.integers(2))]
    box_noise, cup_noise = config.place_noise
    x, y = rng.uniform(-box_noise, box_noise, 2)
    cup_x, cup_y = rng.uniform(-cup_noise, cup_noise, 2)
    angles = (*rng.uniform(*config.flap_angle, 3), rng.uniform(*config.tab_angle))
    return BoxSetup(
        box=(0.345 + float(x), float(y), float(rng.uniform(-config.yaw, config.yaw))),
        cup=(0.30 + float(cup_x), ARM_SIDE[arm] * 0.19 + float(cup_y)),
        arm=arm,
        angles=tuple(float(angle) for angle in angles),
        lighting=float(rng.uniform(*config.lighting)),
        time_limit=config.time_limit,
        home_offset=rng.normal(0.0, config.home_noise, 12),
    )
