"""Corrections in simulation: an expert takes over from a policy upon imminent failure and finishes the episode.

The single-intervention protocol of the paper (baseline DAgger of Sec. XI-E): once taken over, never handed back.
"""

from __future__ import annotations

import numpy as np

from rise_robot.sim.episode import Agent
from rise_robot.sim.experts import make_expert, make_watch
from rise_robot.sim.robot import SimulatedRobot


class InterventionAgent:
    """Commands of `agent` until a failure is imminent, then those of the expert; `human` says which.

    Args:
        robot: running any task with a scripted expert.
        agent: the policy; it goes on observing but is not asked any more after the intervention.

    Attributes:
        reason: why the expert took over; "" while the policy commands.
    """

    def __init__(self, robot: SimulatedRobot, agent: Agent, rng: np.random.Generator) -> None:
        self.agent, self.watch = agent, make_watch(robot)
        self.expert = make_expert(robot, rng)
        self.reset()

    def reset(self) -> None:
        """An episode begins with the policy in command."""
        self.agent.reset()
        self.watch.reset()
        self.reason = ""

    @property
    def clean_action(self) -> np.ndarray:
        """(A,) the last command before noise; AttributeError where the policy does not tell."""
        return self.expert.clean_action if self.reason else self.agent.clean_action  # type: ignore[attr-defined]

    @property
    def human(self) -> bool:
        """The last command was the expert's, who stands for the person."""
        return bool(self.reason)

    def observe(self, stamp: int, joint_positions: np.ndarray, images: dict[str, np.ndarray]) -> None:
        """Passed on to the policy."""
        observe = getattr(self.agent, "observe", None)
        if observe is not None:
            observe(stamp, joint_positions, images)

    def action(self) -> np.ndarray:
        """(A,) the next command."""
        if not self.reason and (reason := self.watch.reason()):
            self.reason = reason
            self.expert.reset()
        return self.expert.action() if self.reason else self.agent.action()
