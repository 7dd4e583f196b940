"""The rubric of Table VII as a form that a person fills in after a trial on a real robot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rise_learning.errors import ConfigError
from rise_learning.evaluation.results import EpisodeResult
from rise_robot.sim.backpack_rubric import BACKPACK_MILESTONES
from rise_robot.sim.box_rubric import BOX_MILESTONES
from rise_robot.sim.brick_rubric import GRASP_SCORE, PLACE_SCORE
from rise_robot.sim.milestones import MILESTONE_SCORE
from rise_robot.sim.task import MAX_SCORE

Ask = Callable[[str], str]
"""Shows a question and returns the line that was answered."""


class Form(Protocol):
    """Questions of one task."""

    def fill(self, ask: Ask, seed: int, duration_s: float) -> EpisodeResult:
        """Ask until every answer is usable; the record that the simulator would have made of the same episode."""
        ...


@dataclass(frozen=True)
class MilestoneForm:
    """Sub-goals that follow one another, each worth the same.

    Attributes:
        names: in their order, as the rubric's events.
    """

    names: tuple[str, ...]

    def fill(self, ask: Ask, seed: int, duration_s: float) -> EpisodeResult:
        listed = ", ".join(f"{number} {name.replace('_', ' ')}" for number, name in enumerate(self.names, start=1))
        reached = ask_count(ask, f"Last sub-goal that was reached: 0 none, {listed}", len(self.names))
        whole = reached == len(self.names)
        return EpisodeResult(seed, whole, MILESTONE_SCORE * reached, duration_s, self.names[:reached])


@dataclass(frozen=True)
class BrickForm:
    """Bricks that are counted, in any order."""

    def fill(self, ask: Ask, seed: int, duration_s: float) -> EpisodeResult:
        bricks = ask_count(ask, "Bricks on the belt in this trial", 100, least=1)
        grasped = ask_count(ask, "Bricks that were grasped and lifted", bricks)
        matched = ask_count(ask, "Bricks at rest in the bin of their colour", grasped)
        wrong = ask_count(ask, "Bricks at rest in another bin", grasped - matched)
        cleared = matched == bricks
        events = ("grasp",) * grasped + ("place_matched",) * matched + ("place_wrong",) * wrong
        score = min(MAX_SCORE, GRASP_SCORE * grasped + PLACE_SCORE * matched)
        return EpisodeResult(seed, cleared, score, duration_s, events + ("cleared",) * cleared)


FORMS: dict[str, Form] = {
    "backpack_packing": MilestoneForm(BACKPACK_MILESTONES),
    "box_closing": MilestoneForm(BOX_MILESTONES),
    "brick_sorting": BrickForm(),
}


def form_of(task: str) -> Form:
    """The form of `task`; raises ConfigError for an unknown one."""
    if task not in FORMS:
        raise ConfigError(f"no form for task {task!r}; there are: {', '.join(FORMS)}")
    return FORMS[task]


def ask_count(ask: Ask, question: str, most: int, *, least: int = 0) -> int:
    """A whole number from `least` to `most`, asked for until one comes."""
    text = ask(f"{question} [{least}-{most}]: ").strip()
    while not (text.isdecimal() and least <= int(text) <= most):
        text = ask(f"  {text!r} is no number from {least} to {most}: ").strip()
    return int(text)
