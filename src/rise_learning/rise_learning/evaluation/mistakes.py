"""How an expert goes wrong from a saved state on, by task: what corrupted chunks come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rise_robot.sim.corruption import Attempt, Corruption
from rise_robot.sim.expert import BrickSortingExpert
from rise_robot.sim.experts import Expert, make_expert
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.scene import COLOURS
from rise_robot.sim.script import OPEN, Move, ScriptedExpert, Track

GRASP_OFFSET = 0.035
"""m by which a missed grasp misses."""
BESIDE = 0.045
"""m by which hands go beside where they should, in other tasks."""

Mistake = Callable[[SimulatedRobot, Any, np.random.Generator], Callable[[], np.ndarray]]
"""(robot in the saved state, what its expert remembered then, random numbers) -> what says the next action (A,)."""


def no_mistake(robot: SimulatedRobot, memory: Any, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    """The expert goes on."""
    return _restored(make_expert(robot, rng), memory).action


def wrong_bin(robot: SimulatedRobot, memory: Any, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    """Bricks go to bins of other colours."""
    return _sorting(robot, memory, Corruption(wrong_bin=True), _into_wrong_bin, rng)


def missed_grasp(robot: SimulatedRobot, memory: Any, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    """Fingers close beside the brick; where they are at it already, they let go."""
    return _sorting(robot, memory, Corruption(grasp_offset=GRASP_OFFSET), _without_grasp, rng)


def beside(robot: SimulatedRobot, memory: Any, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    """Every move leads its hands to BESIDE where they should be, in one random direction."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    dx, dy = BESIDE * np.cos(angle), BESIDE * np.sin(angle)

    def displaced(track: Track) -> Track:
        first, *others = track.points
        moved = [replace(p, position=(p.position[0] + dx, p.position[1] + dy, p.position[2])) for p in others]
        return replace(track, points=(first, *moved))

    return _scripted(robot, memory, displaced)


def let_go(robot: SimulatedRobot, memory: Any, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    """Hands that move open."""
    return _scripted(robot, memory, lambda track: replace(track, opening=OPEN))


SCRIPTED_MISTAKES: Mapping[str, Mistake] = {"beside": beside, "let_go": let_go}
MISTAKES: Mapping[str, Mapping[str, Mistake]] = {
    "backpack_packing": SCRIPTED_MISTAKES,
    "box_closing": SCRIPTED_MISTAKES,
    "brick_sorting": {"wrong_bin": wrong_bin, "missed_grasp": missed_grasp},
}
"""By task, two of a kind that its own objects make possible."""


def _restored(expert: Expert, memory: Any) -> Expert:
    expert.set_state(memory)
    return expert


def _sorting(
    robot: SimulatedRobot,
    memory: dict[str, Any],
    later: Corruption,
    change: Callable[[Attempt, str, np.random.Generator], Attempt],
    rng: np.random.Generator,
) -> Callable[[], np.ndarray]:
    """An expert whose attempts under way are changed, given the phase of the arm, and later ones corrupted."""
    plans = {
        arm: plan if plan.attempt is None else replace(plan, attempt=change(plan.attempt, plan.phase, rng))
        for arm, plan in memory["plans"].items()
    }
    expert = BrickSortingExpert(robot, np.random.default_rng(0), later)
    return _restored(expert, {**memory, "plans": plans}).action


def _into_wrong_bin(attempt: Attempt, phase: str, rng: np.random.Generator) -> Attempt:
    wrong = [colour for colour in COLOURS if colour != attempt.colour]
    return replace(attempt, colour=wrong[int(rng.integers(len(wrong)))])


def _without_grasp(attempt: Attempt, phase: str, rng: np.random.Generator) -> Attempt:
    """Miss beside the brick; where the fingers are at it already, let go."""
    if phase != "reach":
        return replace(attempt, closes=False, blind=True)
    angle = rng.uniform(0, 2 * np.pi)
    offset = (GRASP_OFFSET * float(np.cos(angle)), GRASP_OFFSET * float(np.sin(angle)))
    return replace(attempt, offset=offset, blind=True)


def _scripted(robot: SimulatedRobot, memory: Any, change: Callable[[Track], Track]) -> Callable[[], np.ndarray]:
    """An expert whose moves have their tracks changed, that under way and later ones."""
    expert = _restored(make_expert(robot, np.random.default_rng(0)), memory)
    assert isinstance(expert, ScriptedExpert)
    spoilt: Move | None = None

    def action() -> np.ndarray:
        nonlocal spoilt
        if expert.move is not spoilt:
            tracks = {arm: track if track is None else change(track) for arm, track in expert.move.tracks.items()}
            expert.move = spoilt = replace(expert.move, tracks=tracks)
        return expert.action()

    return action
