"""What an expert makes of an episode, with everything that two futures could differ in."""

from __future__ import annotations

from typing import Any

from rise_robot.sim.experts import Expert
from rise_robot.sim.robot import SimulatedRobot


def trace(robot: SimulatedRobot, expert: Expert, periods: int = 10_000) -> list[tuple[Any, ...]]:
    """Let the expert act for so many control periods, or until the episode ends."""
    found: list[tuple[Any, ...]] = []
    while len(found) < periods and robot.outcome == "running":
        action = expert.action()
        result = robot.step(action)
        found.append((action.tobytes(), robot.task.data.qpos.tobytes(), robot.progress(), result, robot.score))
    return found
