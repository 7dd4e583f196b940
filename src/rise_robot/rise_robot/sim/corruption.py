"""Deliberate failures of the expert: what may go wrong, and what does in one attempt at a brick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.sim.scene import COLOURS

FAILURES = ("joint_noise", "grasp_offset", "wrong_bin", "drop", "no_close")
"""What may deliberately go wrong when bricks are sorted."""


@dataclass(frozen=True)
class Mishap:
    """What goes wrong in one episode, in terms that every task's expert understands.

    Attributes:
        failure: one of the expert's failures, or "" for none.
        joint_noise: standard deviation of smooth noise on executed joint commands, rad.
        miss: distance by which a corrupted grasp misses, m.
        blind: the expert never notices how a grasp ended.
        probability: with which each attempt is corrupted.
        imprecision: standard deviation of where any attempt aims, m; people are not exact.
    """

    failure: str = ""
    joint_noise: float = 0.0
    miss: float = 0.0
    blind: bool = False
    probability: float = 1.0
    imprecision: float = 0.0


@dataclass(frozen=True)
class Corruption:
    """Deliberate failures, for rollouts that are not demonstrations.

    Attributes:
        joint_noise: standard deviation (rad) of smooth noise on the executed joint commands; `clean_action` keeps
            the command without it. Grippers get a tenth of it, in m.
        grasp_offset: distance (m), in a random direction, by which the grasp misses the brick.
        wrong_bin: put the brick into a bin of another colour.
        drop: open the gripper on the way to the bin.
        no_close: never close the gripper.
        blind: carry on as if every grasp had worked, also in attempts that are not corrupted. Commands of an expert
            that sees a miss and turns back tell how the grasp ended; a model trained on them reads outcomes from
            commands (docs/decisions/0002-imagining-ones-own-chunks.md).
        probability: with which an attempt at a brick is corrupted; noise and imprecision are always on.
        imprecision: standard deviation (m) of the grasp along the belt and across, drawn per attempt. No mistake made
            on purpose: people aim about as well, look whether they hold the brick, and try again.
    """

    joint_noise: float = 0.0
    grasp_offset: float = 0.0
    wrong_bin: bool = False
    drop: bool = False
    no_close: bool = False
    blind: bool = False
    probability: float = 1.0
    imprecision: float = 0.0


def brick_corruption(mishap: Mishap) -> Corruption:
    """`mishap` for the expert that sorts bricks."""
    return Corruption(
        joint_noise=mishap.joint_noise,
        grasp_offset=mishap.miss if mishap.failure == "grasp_offset" else 0.0,
        wrong_bin=mishap.failure == "wrong_bin",
        drop=mishap.failure == "drop",
        no_close=mishap.failure == "no_close",
        blind=mishap.blind,
        probability=mishap.probability,
        imprecision=mishap.imprecision,
    )


@dataclass(frozen=True)
class Attempt:
    """What an arm intends to do with one brick, corruption included."""

    brick: int
    offset: tuple[float, float]  # added to the grasp position, m
    colour: str  # of the bin
    drop_at: float  # part of the way to the bin at which the gripper opens, inf for never
    closes: bool
    blind: bool  # carry on as if the grasp had worked


def draw_attempt(brick: int, colour: str, corruption: Corruption, rng: np.random.Generator) -> Attempt:
    """Draw what will go wrong with a brick of `colour`; the same number of draws whatever fails.

    Half of the drops happen over the belt, right after lifting; the others on the first fifth of the way.
    """
    angle, other, when, chance = rng.uniform(0, 2 * np.pi), *rng.uniform(size=3)
    bad = bool(chance < corruption.probability)
    miss = corruption.grasp_offset if bad else 0.0
    wrong = [c for c in COLOURS if c != colour]
    aim = rng.normal(0.0, corruption.imprecision, 2) if corruption.imprecision else np.zeros(2)
    return Attempt(
        brick=brick,
        offset=(float(miss * np.cos(angle) + aim[0]), float(miss * np.sin(angle) + aim[1])),
        colour=wrong[int(other * len(wrong))] if bad and corruption.wrong_bin else colour,
        drop_at=max(0.0, 0.4 * float(when) - 0.2) if bad and corruption.drop else np.inf,
        closes=not (bad and corruption.no_close),
        blind=corruption.blind or (bad and (miss > 0.0 or corruption.no_close or corruption.drop)),
    )
