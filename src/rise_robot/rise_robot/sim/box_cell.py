"""Box Closing in physics: puts a drawn episode into the MuJoCo model and reads box and cup from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.rubric import RubricEventRecord
from rise_robot.sim import milestones
from rise_robot.sim.box_closing import BoxClosingConfig, BoxSetup, draw_setup
from rise_robot.sim.box_rubric import BOX_MILESTONES, BoxMemory, BoxView, judge, stage_progress
from rise_robot.sim.box_scene import CUP_HEIGHT, FLAPS, TAB_LENGTH, box_scene_xml
from rise_robot.sim.milestones import MilestoneState
from rise_robot.sim.objects import GripperTouch, SceneLight, hide, place
from rise_robot.sim.rendering import mujoco
from rise_robot.sim.task import Outcome


class BoxClosing:
    """The task; `setup` is what the seed drew, `rubric` how far the episode has come."""

    name = "box_closing"

    def __init__(self, contract: Contract, config: BoxClosingConfig) -> None:
        self.config = config
        self.model = mujoco.MjModel.from_xml_string(box_scene_xml(contract, config.stiffness))
        self.data = mujoco.MjData(self.model)
        self._light = SceneLight(self.model)
        self._touch = GripperTouch(self.model, {"cup": ("cup",), "flaps": FLAPS})
        joints = [self.model.joint(name).id for name in FLAPS]
        self._hinges, self._creases = self.model.jnt_qposadr[joints], self.model.jnt_plasticadr[joints]
        self.setup: BoxSetup = draw_setup(config, np.random.default_rng(0))
        self.rubric, self._memory = MilestoneState(), BoxMemory()
        self._view: BoxView | None = None

    @property
    def instruction(self) -> str:
        return self.setup.instruction

    @property
    def outcome(self) -> Outcome:
        return self.rubric.outcome

    @property
    def score(self) -> float:
        return self.rubric.score

    @property
    def failure_reason(self) -> str:
        """Tipped cup, missed grasp, slip, cup out of the box, flap sprung back, tab outside or timeout."""
        return self.rubric.reason

    def reset(self, rng: np.random.Generator) -> None:
        """Draw an episode; the caller resets and forwards the physics."""
        self.setup = draw_setup(self.config, rng)
        self.rubric, self._memory, self._view = MilestoneState(), BoxMemory(), None
        x, y, yaw = self.setup.box
        place(self.data, "box", (x, y, 0.0005), yaw)
        place(self.data, "cup", (*self.setup.cup, CUP_HEIGHT / 2 + 0.0005))
        self.data.qpos[self._hinges] = self.data.plastic[self._creases] = self.setup.angles
        self._light.set(self.setup.lighting)

    def clear(self) -> None:
        """Put box and cup out of sight, under nominal light."""
        self._view = None
        hide(self.data, ("box", "cup"))
        self._light.set(1.0)

    def before_step(self) -> None:
        """Nothing changes but by physics."""

    def after_step(self, now: float) -> tuple[RubricEventRecord, ...]:
        """Advance the rubric to `now` (s) after the physics was stepped and forwarded."""
        self._view = None
        view = self.view()
        self._memory = self._memory.updated(view)
        self.rubric, events = milestones.advance(
            self.rubric,
            judge(view, self._memory, self.rubric.reached),
            BOX_MILESTONES,
            now,
            settle=self.config.settle,
            time_limit=self.setup.time_limit,
        )
        return events

    def progress(self, tools: Mapping[str, np.ndarray]) -> float:
        """Milestones reached and the way to the next one, in [0, 1]; -0.5 once the cup has tipped over."""
        if self.rubric.outcome == "success":
            return 1.0
        view = self.view()
        if self.rubric.reached == 0 and view.tipped:
            return -0.5
        if self.rubric.reached == milestones.MILESTONES:
            return 1.0
        cup = self.data.body("cup").xpos
        reach = min(float(np.linalg.norm(tool - cup)) for tool in tools.values())
        return (self.rubric.reached + stage_progress(view, self.rubric.reached, reach)) / milestones.MILESTONES

    def consequences(self) -> tuple[str, ...]:
        """Of the cup (outside, held, loaded, tipped) and of each of FLAPS (open or folded)."""
        view = self.view()
        cup = "loaded" if view.loaded else "held" if view.held else "tipped" if view.tipped else "outside"
        folded = (*(view.angles[:2] < 0.3), view.angles[2] < 0.5, view.tucked)
        return (cup, *("folded" if done else "open" for done in folded))

    def get_state(self) -> Any:
        return self.setup, self.rubric, self._memory

    def set_state(self, state: Any) -> None:
        self.setup, self.rubric, self._memory = state
        self._view = None
        self._light.set(self.setup.lighting)

    def view(self) -> BoxView:
        """What physics shows, computed once per control period."""
        if self._view is None:
            self._view = self._look()
        return self._view

    def pose(self) -> tuple[np.ndarray, float]:
        """Of the box: position (3,) m on the table, and yaw, rad."""
        body = self.data.body("box")
        rotation = body.xmat.reshape(3, 3)
        return body.xpos.copy(), float(np.arctan2(rotation[1, 0], rotation[0, 0]))

    def _look(self) -> BoxView:
        data = self.data
        touch = self._touch.read(data)
        box, cup, tab = data.body("box"), data.body("cup"), data.body("tab")
        to_box = box.xmat.reshape(3, 3).T
        tip = tab.xpos - TAB_LENGTH * tab.xmat.reshape(3, 3)[:, 0]
        return BoxView(
            cup=to_box @ (cup.xpos - box.xpos),
            upright=float(cup.xmat[8]),
            held=bool(touch["cup"].held_by),
            touched=touch["cup"].touched,
            angles=data.qpos[self._hinges].copy(),
            tab_tip=to_box @ (tip - box.xpos),
            handled=touch["flaps"].touched,
        )
