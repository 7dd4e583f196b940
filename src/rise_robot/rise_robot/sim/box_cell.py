"""Box Closing in physics: puts a drawn episode into the MuJoCo model and reads box and cup from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.sim.box_closing import BoxClosingConfig, BoxSetup, draw_setup
from rise_robot.sim.box_rubric import BOX_MILESTONES, BoxMemory, BoxView, judge, stage_progress
from rise_robot.sim.box_scene import CUP_HEIGHT, CUP_STAVES, FLAPS, TAB_LENGTH, box_scene_xml
from rise_robot.sim.milestone_task import MilestoneTask
from rise_robot.sim.milestones import MILESTONES, Judgement
from rise_robot.sim.objects import GripperTouch, SceneLight, hide, place
from rise_robot.sim.rendering import mujoco


class BoxClosing(MilestoneTask[BoxSetup, BoxView, BoxMemory]):
    """The task; `setup` is what the seed drew, `rubric` how far the episode has come."""

    name = "box_closing"
    milestones = BOX_MILESTONES

    def __init__(self, contract: Contract, config: BoxClosingConfig) -> None:
        self.config = config
        self.model = mujoco.MjModel.from_xml_string(box_scene_xml(contract, config.stiffness))
        self.data = mujoco.MjData(self.model)
        self._light = SceneLight(self.model)
        self._touch = GripperTouch(self.model, {"cup": (*CUP_STAVES, "cup_floor"), "flaps": FLAPS})
        joints = [self.model.joint(name).id for name in FLAPS]
        self._hinges, self._creases = self.model.jnt_qposadr[joints], self.model.jnt_plasticadr[joints]
        self._settle = config.settle
        self._begin(draw_setup(config, np.random.default_rng(0)), BoxMemory())

    def reset(self, rng: np.random.Generator) -> None:
        """Draw an episode; the caller resets and forwards the physics."""
        self._begin(draw_setup(self.config, rng), BoxMemory())
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

    def progress(self, tools: Mapping[str, np.ndarray]) -> float:
        """Milestones reached and the way to the next one, in [0, 1]; -0.5 once the cup has tipped over."""
        if self.rubric.outcome == "success":
            return 1.0
        view = self.view()
        if self.rubric.reached == 0 and view.tipped:
            return -0.5
        if self.rubric.reached == MILESTONES:
            return 1.0
        cup = self.data.body("cup").xpos
        reach = min(float(np.linalg.norm(tool - cup)) for tool in tools.values())
        return (self.rubric.reached + stage_progress(view, self.rubric.reached, reach)) / MILESTONES

    def consequences(self) -> tuple[str, ...]:
        """Of the cup (outside, held, loaded, tipped) and of each of FLAPS (open or folded)."""
        view = self.view()
        cup = "loaded" if view.loaded else "held" if view.held else "tipped" if view.tipped else "outside"
        folded = (*(view.angles[:2] < 0.3), view.angles[2] < 0.5, view.tucked)
        return (cup, *("folded" if done else "open" for done in folded))

    def pose(self) -> tuple[np.ndarray, float]:
        """Of the box: position (3,) m on the table, and yaw, rad."""
        body = self.data.body("box")
        rotation = body.xmat.reshape(3, 3)
        return body.xpos.copy(), float(np.arctan2(rotation[1, 0], rotation[0, 0]))

    def _judge(self) -> Judgement:
        """Fails by tipped cup, missed grasp, slip, cup out of the box, flap sprung back, tab outside or timeout."""
        return judge(self.view(), self.memory, self.rubric.reached)

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
