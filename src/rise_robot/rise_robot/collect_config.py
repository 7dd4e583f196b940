"""What to collect: the settings of a bag of expert episodes, and what goes wrong in each of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rise_robot.core.episodes import Kind
from rise_robot.core.errors import SimulationError
from rise_robot.sim.corruption import Mishap
from rise_robot.sim.experts import EXPERTS
from rise_robot.sim.tasks import TaskSetting

AGENTS = ("expert", "random")
STRONG_NOISE = (0.03, 0.08)
"""rad; range of the noise that is meant to make an episode fail."""


@dataclass(frozen=True)
class CollectConfig:
    """What to collect; together with the contract it decides every byte of the bag.

    Attributes:
        agent: who commands: the task's scripted expert, or smooth random motion that knows no task.
        level: difficulty of the task, or None for one brick, and for the default level of the other tasks.
        bricks: (lowest, highest) number of bricks instead of the level's; brick_sorting only.
        noise: (lowest, highest) standard deviation of smooth noise on executed joint commands, rad; drawn per episode.
            The command without it is recorded as well (`expert/joint_command`).
        corruptions: deliberate failures to draw from; None for all that the task's expert knows.
        corruption_rate: share of the episodes with one of them.
        corruption_probability: of each attempt at a brick within such an episode.
        grasp_offset: (lowest, highest) distance by which a corrupted grasp misses, m.
        blind: the expert never notices how a grasp ended, so that its commands do not tell.
        imprecision: standard deviation of where every grasp aims, m; demonstrations may have it, as people do.
    """

    task: str = "brick_sorting"
    episodes: int = 10
    seed: int = 0
    kind: Kind = "demonstration"
    agent: str = "expert"
    level: str | None = None
    bricks: tuple[int, int] | None = None
    noise: tuple[float, float] = (0.0, 0.0)
    corruptions: tuple[str, ...] | None = None
    corruption_rate: float = 0.0
    corruption_probability: float = 0.8
    grasp_offset: tuple[float, float] = (0.02, 0.05)
    blind: bool = False
    imprecision: float = 0.0

    def __post_init__(self) -> None:
        TaskSetting.of(self.task, self.level, self.bricks)
        known = EXPERTS[self.task].failures
        if unknown := sorted(set(self.failures) - set(known)):
            raise SimulationError(f"unknown corruptions {unknown} of {self.task}; known ones are {list(known)}")
        if self.agent not in AGENTS:
            raise SimulationError(f"unknown agent {self.agent!r}; known ones are {list(AGENTS)}")
        if self.agent == "random" and (self.kind == "demonstration" or self.corruption_rate > 0 or any(self.noise)):
            raise SimulationError("random motion is a rollout without noise or corruptions; use kind rollout alone")
        if self.kind == "demonstration" and self.corruption_rate > 0:
            raise SimulationError("demonstrations are never corrupted on purpose; use kind rollout")
        if self.kind == "dagger" and self.corruption_rate == self.noise[1] == 0:
            raise SimulationError("nothing would call for a correction; give kind dagger a corruption rate or noise")
        if self.episodes < 1 or self.seed < 0 or not 0 <= self.noise[0] <= self.noise[1]:
            raise SimulationError(f"need episodes >= 1, seed >= 0 and 0 <= noise low <= high, got {self}")
        if not (0 <= self.corruption_rate <= 1 and 0 <= self.corruption_probability <= 1):
            raise SimulationError(f"corruption rate and probability lie within 0 and 1, got {self}")

    @property
    def failures(self) -> tuple[str, ...]:
        """Deliberate failures to draw from."""
        return EXPERTS[self.task].failures if self.corruptions is None else self.corruptions

    @property
    def task_config(self) -> Any:
        """What the simulated task is run with."""
        return TaskSetting.of(self.task, self.level, self.bricks).config

    @property
    def digest(self) -> str:
        """6 hex digits of what decides an episode besides its seed; part of episode ids, so that bags never clash."""
        what = {key: value for key, value in asdict(self).items() if key not in ("episodes", "seed")}
        what["corruptions"] = self.failures
        if self.agent == "expert":
            del what["agent"]  # as it was before there was another
        if not self.imprecision:
            del what["imprecision"]
        if self.level is None:
            del what["level"]
            what["bricks"] = self.bricks or (1, 1)
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:6]


def draw_corruption(config: CollectConfig, rng: np.random.Generator) -> tuple[str, Any]:
    """Name ("clean" for none) and settings of one episode's corruption; always the same number of draws."""
    failures = config.failures
    chance, which = rng.uniform(), failures[int(rng.integers(len(failures)))]
    mild, strong, offset = (rng.uniform(*span) for span in (config.noise, STRONG_NOISE, config.grasp_offset))
    corruption = EXPERTS[config.task].corruption
    if chance >= config.corruption_rate:
        return "clean", corruption(Mishap(joint_noise=mild, blind=config.blind, imprecision=config.imprecision))
    noise = strong if which == "joint_noise" else mild
    return which, corruption(
        Mishap(which, noise, offset, config.blind, config.corruption_probability, config.imprecision)
    )
