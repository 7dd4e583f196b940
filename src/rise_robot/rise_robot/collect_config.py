"""What to collect: the settings of a bag of expert episodes, and what goes wrong in each of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from rise_robot.bag.episode import Kind
from rise_robot.core.errors import SimulationError
from rise_robot.sim.corruption import Corruption
from rise_robot.sim.robot import TASKS

FAILURES = ("joint_noise", "grasp_offset", "wrong_bin", "drop", "no_close")
STRONG_NOISE = (0.03, 0.08)
"""rad; range of the noise that is meant to make an episode fail."""


@dataclass(frozen=True)
class CollectConfig:
    """What to collect; together with the contract it decides every byte of the bag.

    Attributes:
        bricks: (lowest, highest) number of bricks.
        noise: (lowest, highest) standard deviation of smooth noise on executed joint commands, rad; drawn per episode.
            The command without it is recorded as well (`expert/joint_command`).
        corruptions: deliberate failures to draw from, of FAILURES.
        corruption_rate: share of the episodes with one of them.
        corruption_probability: of each attempt at a brick within such an episode.
        grasp_offset: (lowest, highest) distance by which a corrupted grasp misses, m.
        blind: the expert never notices how a grasp ended, so that its commands do not tell.
    """

    task: str = "brick_sorting"
    episodes: int = 10
    seed: int = 0
    kind: Kind = "demonstration"
    bricks: tuple[int, int] = (1, 1)
    noise: tuple[float, float] = (0.0, 0.0)
    corruptions: tuple[str, ...] = FAILURES
    corruption_rate: float = 0.0
    corruption_probability: float = 0.8
    grasp_offset: tuple[float, float] = (0.02, 0.05)
    blind: bool = False

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise SimulationError(f"unknown task {self.task!r}; known ones are {sorted(TASKS)}")
        if unknown := sorted(set(self.corruptions) - set(FAILURES)):
            raise SimulationError(f"unknown corruptions {unknown}; known ones are {list(FAILURES)}")
        if self.kind == "demonstration" and self.corruption_rate > 0:
            raise SimulationError("demonstrations are never corrupted on purpose; use kind rollout")
        if self.episodes < 1 or self.seed < 0 or not 0 <= self.noise[0] <= self.noise[1]:
            raise SimulationError(f"need episodes >= 1, seed >= 0 and 0 <= noise low <= high, got {self}")
        if not (0 <= self.corruption_rate <= 1 and 0 <= self.corruption_probability <= 1):
            raise SimulationError(f"corruption rate and probability lie within 0 and 1, got {self}")

    @property
    def digest(self) -> str:
        """6 hex digits of what decides an episode besides its seed; part of episode ids, so that bags never clash."""
        what = {key: value for key, value in asdict(self).items() if key not in ("episodes", "seed")}
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:6]


def draw_corruption(config: CollectConfig, rng: np.random.Generator) -> tuple[str, Corruption]:
    """Name ("clean" for none) and settings of one episode's corruption; always the same number of draws."""
    chance, which = rng.uniform(), config.corruptions[int(rng.integers(len(config.corruptions)))]
    mild, strong, offset = (rng.uniform(*span) for span in (config.noise, STRONG_NOISE, config.grasp_offset))
    if chance >= config.corruption_rate:
        return "clean", Corruption(joint_noise=mild, blind=config.blind)
    return which, Corruption(
        joint_noise=strong if which == "joint_noise" else mild,
        grasp_offset=offset if which == "grasp_offset" else 0.0,
        wrong_bin=which == "wrong_bin",
        drop=which == "drop",
        no_close=which == "no_close",
        blind=config.blind,
        probability=config.corruption_probability,
    )
