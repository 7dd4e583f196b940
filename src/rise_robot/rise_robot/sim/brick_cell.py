"""Dynamic Brick Sorting in physics: puts a drawn episode into the MuJoCo model and reads the bricks from it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.rubric import RubricEventRecord
from rise_robot.sim.brick_rubric import (
    BrickRecord,
    BrickView,
    Consequence,
    RubricState,
    advance,
    brick_progress,
    failure_reason,
)
from rise_robot.sim.brick_sorting import BrickSortingConfig, EpisodeSetup, draw_setup
from rise_robot.sim.cell import ARMS
from rise_robot.sim.clutter import clutter_name, clutter_xml
from rise_robot.sim.objects import GripperTouch, SceneLight, Touch, hide, place
from rise_robot.sim.rendering import mujoco
from rise_robot.sim.scene import (
    BELT_HALF_WIDTH,
    BELT_TOP,
    BELT_X,
    BIN_CENTRES,
    BIN_HALF,
    BIN_TOP,
    BRICK_HALF,
    COLOURS,
    SHELF,
    scene_xml,
)
from rise_robot.sim.task import Outcome


@dataclass(frozen=True)
class BrickInfo:
    """One brick as the task sees it: what was drawn, where it is, and what became of it."""

    record: BrickRecord
    view: BrickView


class BrickSorting:
    """The task: draws an episode, lets bricks enter, and keeps the rubric.

    Attributes:
        setup: what the seed drew.
        rubric: score and fate of every brick.
    """

    name = "brick_sorting"

    def __init__(self, contract: Contract, config: BrickSortingConfig) -> None:
        self.config = config
        self.model = mujoco.MjModel.from_xml_string(
            scene_xml(contract, config.brick_range[1], clutter_xml(config.clutter[1]))
        )
        self.data = mujoco.MjData(self.model)
        self._light = SceneLight(self.model)
        self._index_geoms()
        self.setup = draw_setup(config, np.random.default_rng(0))
        self.rubric = RubricState(())
        self._views: list[BrickView] | None = None

    @property
    def bricks(self) -> list[BrickInfo]:
        return [BrickInfo(record, view) for record, view in zip(self.rubric.bricks, self.views(), strict=True)]

    @property
    def instruction(self) -> str:
        return self.setup.instruction

    @property
    def outcome(self) -> Outcome:
        return self.rubric.outcome

    @property
    def decided(self) -> bool:
        """Every brick is in a bin or lost."""
        return math.isfinite(self.rubric.decided_at)

    @property
    def score(self) -> float:
        return self.rubric.score

    @property
    def failure_reason(self) -> str:
        """Of the first brick that is not in place: missed grasp, slip, wrong bin, knocked out or timeout."""
        return failure_reason(self.rubric)

    def consequences(self) -> tuple[Consequence, ...]:
        """Per brick: belt, held, right, wrong or lost."""
        return tuple(record.consequence for record in self.rubric.bricks)

    def progress(self, tools: Mapping[str, np.ndarray]) -> float:
        """Mean of `brick_progress` over the bricks; `tools` are the arms' tool positions (3,)."""
        values = [brick_progress(b.record, b.view, tools[b.record.spec.arm]) for b in self.bricks]
        return float(np.mean(values))

    def reset(self, rng: np.random.Generator) -> None:
        """Draw an episode; bricks that enter later wait on a shelf. The caller resets and forwards the physics."""
        self.set_state((draw_setup(self.config, rng), RubricState(())))
        records = []
        for i, spec in enumerate(self.setup.bricks):
            records.append(BrickRecord(spec, entered=spec.enter_time <= 0.0))
            if records[-1].entered:
                self._enter(i)
        for i in range(self.config.brick_range[1]):
            if i >= len(records) or not records[i].entered:
                self._shelve(i)
        hide(self.data, self._clutter)
        for thing in self.setup.clutter:
            place(self.data, thing.name, thing.position, thing.yaw)
        self.rubric = RubricState(tuple(records))

    def clear(self) -> None:
        """Put every brick and what lies about out of sight, under nominal light."""
        for i in range(self.config.brick_range[1]):
            self._shelve(i)
        hide(self.data, self._clutter)
        self._light.set(1.0)

    def before_step(self) -> None:
        """Let the bricks whose time has come enter the belt."""
        records = list(self.rubric.bricks)
        for i, record in enumerate(records):
            if not record.entered and self.data.time >= record.spec.enter_time:
                self._enter(i)
                records[i] = replace(record, entered=True)
        self.rubric = replace(self.rubric, bricks=tuple(records))

    def after_step(self, now: float) -> tuple[RubricEventRecord, ...]:
        """Advance the rubric to `now` (s) after the physics was stepped and forwarded."""
        self._views = None
        self.rubric, events = advance(
            self.rubric, self.views(), now, settle=self.config.settle, time_limit=self.setup.time_limit
        )
        return events

    def get_state(self) -> tuple[EpisodeSetup, RubricState]:
        return self.setup, self.rubric

    def set_state(self, state: tuple[EpisodeSetup, RubricState]) -> None:
        """Restore the episode and what it changes in the model: belt speed, lights, colours."""
        self.setup, self.rubric = state
        self._views = None
        self.model.geom_surfacevel[self._belt, 0] = -self.setup.belt_speed
        self._light.set(self.setup.lighting)
        for i, spec in enumerate(self.setup.bricks):
            self.model.geom_rgba[self._brick_geoms[i], :3] = COLOURS[spec.colour]

    def views(self) -> list[BrickView]:
        """What physics shows of each brick of the episode, computed once per control period."""
        if self._views is None:
            touch = self._touch.read(self.data)
            self._views = [self._view(i, touch[f"brick_{i + 1}"]) for i in range(len(self.rubric.bricks))]
        return self._views

    def _index_geoms(self) -> None:
        model = self.model
        self._clutter = [clutter_name(i) for i in range(self.config.clutter[1])]
        self._belt = model.geom("belt").id
        names = [f"brick_{i + 1}" for i in range(self.config.brick_range[1])]
        self._brick_geoms = [model.geom(name).id for name in names]
        self._brick_qpos = [int(model.joint(name).qposadr[0]) for name in names]
        self._brick_qvel = [int(model.joint(name).dofadr[0]) for name in names]
        self._touch = GripperTouch(model, {name: (name,) for name in names})

    def _view(self, i: int, touch: Touch) -> BrickView:
        at, moving = self._brick_qpos[i], self._brick_qvel[i]
        position = self.data.qpos[at : at + 3].copy()
        x, y, z = position.tolist()
        on_belt = BELT_X[0] <= x <= BELT_X[1] and abs(y) <= BELT_HALF_WIDTH and z > BELT_TOP
        low = z < BIN_TOP + 0.5 * BRICK_HALF[2]
        return BrickView(
            position=position,
            speed=math.hypot(*self.data.qvel[moving : moving + 3].tolist()),
            held_by=touch.held_by,
            touched=touch.touched,
            lifted=z > BELT_TOP + BRICK_HALF[2] + 0.015,
            on_belt=on_belt,
            bin=_bin_around(x, y) if low else None,
        )

    def _shelve(self, i: int) -> None:
        self.data.joint(f"brick_{i + 1}").qpos[:] = (SHELF[0], 0.1 * i, BRICK_HALF[2], 1, 0, 0, 0)

    def _enter(self, i: int) -> None:
        spec = self.setup.bricks[i]
        joint = self.data.joint(spec.name)
        joint.qpos[:3] = (*spec.position, BELT_TOP + BRICK_HALF[2] + 0.0005)
        joint.qpos[3:] = (np.cos(spec.yaw / 2), 0.0, 0.0, np.sin(spec.yaw / 2))
        joint.qvel[:] = 0.0
        joint.qvel[0] = -self.setup.belt_speed


def _bin_around(x: float, y: float) -> tuple[str, str] | None:
    """(arm, colour) of the bin within whose outline a point lies."""
    half_x, half_y = BIN_HALF.tolist()
    for arm, colour in itertools.product(ARMS, COLOURS):
        centre_x, centre_y = BIN_CENTRES[arm, colour]
        if abs(centre_x - x) < half_x and abs(centre_y - y) < half_y:
            return arm, colour
    return None
