"""What shows that a task of milestones is about to fail, whatever the task: no headway, and too little time."""

from __future__ import annotations

from collections.abc import Mapping

from rise_robot.sim.cell import ARMS
from rise_robot.sim.robot import SimulatedRobot

HEADWAY = 0.01
"""Progress that counts as headway."""
HEADWAY_S = 6.0
"""Longest time without any; the experts, who put things into place and take hold in between, need up to 4.0 s."""
SPARE = 1.25
"""Times what the expert needs, so much must be left of the episode."""
GRASP_S = 0.5
"""How long a hand may be closed beside what it means to hold before the grasp counts as missed."""
LEFT_S = 1.0
"""How long something may stand wrong before nobody is thought to be at it."""
HAND_M = 0.10
"""Distance of tool and thing within which a hand is at it."""


class MilestoneWatch:
    """Sees a failure coming, as a person beside the robot would; a task's own signs come from a class of its own.

    Attributes:
        needed: s that the expert needs from 0, 1, 2, 3 and 4 reached milestones to the end.
    """

    needed: tuple[float, ...]

    def __init__(self, robot: SimulatedRobot) -> None:
        self.robot = robot
        self.reset()

    def reset(self) -> None:
        """An episode begins."""
        self._best, self._best_at = -1.0, 0.0
        self._since: dict[str, float] = {}

    def signs(self) -> Mapping[str, tuple[bool, float]]:
        """By reason: whether it shows now, and for how long (s) it must show."""
        raise NotImplementedError

    def reason(self) -> str:
        """Once per control period: what is about to go wrong, "" for nothing."""
        now = self.robot.time
        for reason, (shows, patience) in self.signs().items():
            self._since[reason] = self._since.get(reason, now) if shows else now
            if now - self._since[reason] > patience - 1e-9 and shows:
                return reason
        if now + SPARE * self.needed[self.robot.task.rubric.reached] > self.robot.task.setup.time_limit:
            return "too late"
        return "" if self._makes_headway(now) else "no headway"

    def _makes_headway(self, now: float) -> bool:
        progress = self.robot.progress()
        if progress > self._best + HEADWAY or self.robot.task.rubric.reached == len(self.needed) - 1:
            self._best, self._best_at = progress, now
        return now - self._best_at < HEADWAY_S

    def opening(self, arm: str) -> float:
        """m, as commanded; of no arm it is 0."""
        return float(self.robot.command[7 * ARMS.index(arm) + 6]) if arm else 0.0
