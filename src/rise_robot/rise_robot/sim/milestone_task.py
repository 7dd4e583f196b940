"""What tasks with a milestone rubric share: its state, one look at physics per control period, save and restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from rise_robot.core.rubric import RubricEventRecord
from rise_robot.sim import milestones
from rise_robot.sim.milestones import Judgement, MilestoneState
from rise_robot.sim.objects import GripperTouch, SceneLight
from rise_robot.sim.task import Outcome, Setup

if TYPE_CHECKING:
    from mujoco import MjData

ViewT = TypeVar("ViewT")


class MilestoneSetup(Setup, Protocol):
    """What a seed drew."""

    @property
    def instruction(self) -> str: ...

    @property
    def lighting(self) -> float:
        """Brightness of the lights; 1 is nominal."""


SetupT = TypeVar("SetupT", bound=MilestoneSetup)
MemoryT = TypeVar("MemoryT", bound="Memory[Any]")
SeenT = TypeVar("SeenT", contravariant=True)


class Memory(Protocol[SeenT]):
    """What the rubric remembers of earlier control periods; immutable."""

    def updated(self: MemoryT, view: SeenT) -> MemoryT:
        """After one more control period."""


class MilestoneTask(Generic[SetupT, ViewT, MemoryT]):
    """The part of a `Task` that follows from its milestones.

    Attributes:
        milestones: names of the four, in their order.
        setup: what the seed drew.
        rubric: how far the episode has come.
        memory: what the rubric remembers of earlier control periods.
    """

    data: MjData
    milestones: tuple[str, ...]
    setup: SetupT
    rubric: MilestoneState
    memory: MemoryT
    _light: SceneLight
    _touch: GripperTouch
    _settle: float
    _view: ViewT | None

    @property
    def instruction(self) -> str:
        return self.setup.instruction

    @property
    def outcome(self) -> Outcome:
        return self.rubric.outcome

    @property
    def decided(self) -> bool:
        """All milestones are reached."""
        return self.rubric.reached == milestones.MILESTONES

    @property
    def score(self) -> float:
        return self.rubric.score

    @property
    def failure_reason(self) -> str:
        """As the task's rubric says it; "" while the episode runs and after a success."""
        return self.rubric.reason

    @property
    def failure_now(self) -> str:
        """The reason of the failure that it would be if the time ended now."""
        judgement = self._judge()
        return judgement.lost or judgement.lapse

    def after_step(self, now: float) -> tuple[RubricEventRecord, ...]:
        """Advance the rubric to `now` (s) after the physics was stepped and forwarded."""
        self._view = None
        self.memory = self.memory.updated(self.view())
        self.rubric, events = milestones.advance(
            self.rubric,
            self._judge(),
            self.milestones,
            now,
            settle=self._settle,
            time_limit=self.setup.time_limit,
        )
        return events

    def get_state(self) -> Any:
        return self.setup, self.rubric, self.memory

    def set_state(self, state: Any) -> None:
        self.setup, self.rubric, self.memory = state
        self._view = None
        self._light.set(self.setup.lighting)

    def held_by(self, thing: str) -> str:
        """The arm whose two fingers both touch `thing`, or ""."""
        return self._touch.read(self.data)[thing].held_by

    def view(self) -> ViewT:
        """What physics shows, computed once per control period."""
        if self._view is None:
            self._view = self._look()
        return self._view

    def _begin(self, setup: SetupT, memory: MemoryT) -> None:
        """A new episode."""
        self.setup, self.memory = setup, memory
        self.rubric, self._view = MilestoneState(), None

    def _look(self) -> ViewT:
        """Read physics."""
        raise NotImplementedError

    def _judge(self) -> Judgement:
        """What the rubric says of this control period."""
        raise NotImplementedError
