"""Backpack Packing in physics: puts a drawn episode into the MuJoCo model and reads bag, clothes and zip from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.sim.backpack_packing import BackpackPackingConfig, BackpackSetup, draw_setup
from rise_robot.sim.backpack_rubric import BACKPACK_MILESTONES, BackpackMemory, BackpackView, judge, stage_progress
from rise_robot.sim.backpack_scene import HANGING, MOUTHS, PIECE_HALF, PIECES, STRIPS, backpack_scene_xml, strip_name
from rise_robot.sim.backpack_zip import Zip
from rise_robot.sim.cell import ARM_SIDE, ARMS
from rise_robot.sim.milestone_task import MilestoneTask
from rise_robot.sim.milestones import MILESTONES, Judgement
from rise_robot.sim.objects import GripperTouch, SceneLight, hide, place
from rise_robot.sim.rendering import mujoco


class BackpackPacking(MilestoneTask[BackpackSetup, BackpackView, BackpackMemory]):
    """The task; `setup` is what the seed drew, `rubric` how far the episode has come.

    Attributes:
        zip: of the bag; it closes towards the side from which the clothes come.
    """

    name = "backpack_packing"
    milestones = BACKPACK_MILESTONES

    def __init__(self, contract: Contract, config: BackpackPackingConfig) -> None:
        self.config = config
        self.model = mujoco.MjModel.from_xml_string(backpack_scene_xml(contract, config.zip_friction))
        self.data = mujoco.MjData(self.model)
        self.zip = Zip(self.model, self.data)
        self._light = SceneLight(self.model)
        handles = {f"handle_{arm}": (f"handle_{arm}",) for arm in ARMS}
        self._touch = GripperTouch(self.model, {"clothes": PIECES, "puller": ("puller",)} | handles)
        self._strips = [self.model.joint(strip_name(m, i)).qposadr[0] for m in MOUTHS for i in range(STRIPS)]
        self._settle = config.settle
        self._begin(draw_setup(config, np.random.default_rng(0)), BackpackMemory())

    @property
    def closing(self) -> float:
        """Sign of y towards which the zip closes."""
        return ARM_SIDE[self.setup.arm]

    def reset(self, rng: np.random.Generator) -> None:
        """Draw an episode; the caller resets and forwards the physics."""
        self._begin(draw_setup(self.config, rng), BackpackMemory())
        x, y, yaw = self.setup.bag
        place(self.data, "bag", (x, y, 0.0005), yaw)
        x, y, yaw = self.setup.clothes
        place(self.data, "clothes", (x, y, PIECE_HALF[2] + 0.0005), yaw)
        self.data.qpos[self._strips] = HANGING
        self.zip.open(self.closing)
        self._light.set(self.setup.lighting)

    def clear(self) -> None:
        """Put bag and clothes out of sight, under nominal light."""
        self._view = None
        hide(self.data, ("bag", "clothes"))
        self._light.set(1.0)

    def before_step(self) -> None:
        """The zip draws together what its slider has passed."""
        self.zip.update(self.closing)

    def progress(self, tools: Mapping[str, np.ndarray]) -> float:
        """Milestones reached and the way to the next one, in [0, 1]; -0.5 once the bag has tipped over."""
        view = self.view()
        if view.tipped:
            return -0.5
        if self.rubric.reached == MILESTONES:
            return 1.0
        clothes = self.data.body("clothes").xpos
        reach = min(float(np.linalg.norm(tool - clothes)) for tool in tools.values())
        stage = stage_progress(view, self.memory, self.rubric.reached, reach)
        return (self.rubric.reached + stage) / MILESTONES

    def consequences(self) -> tuple[str, ...]:
        """Of the clothes (outside, held, inside), the bag (table, raised, tipped) and the zip (open, half, closed)."""
        view = self.view()
        clothes = "held" if view.held else "inside" if view.inside else "outside"
        bag = "tipped" if view.tipped else "table" if view.standing else "raised"
        return clothes, bag, "closed" if view.zipped >= 0.95 else "half" if view.zipped >= 0.5 else "open"

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the bag: position (3,) m of its frame and rotation (3, 3)."""
        body = self.data.body("bag")
        return body.xpos.copy(), body.xmat.reshape(3, 3).copy()

    def grips_handle(self, arm: str) -> bool:
        """Whether both fingers of `arm` touch the handle of its side."""
        return self.held_by(f"handle_{arm}") == arm

    def _judge(self) -> Judgement:
        """Fails by missed grasp, slip, clothes out, not lifted, zip missed, stuck, not pulled, tipped bag, timeout."""
        return judge(self.view(), self.memory, self.rubric.reached)

    def _look(self) -> BackpackView:
        touch = self._touch.read(self.data)
        position, rotation = self.pose()
        pieces = np.array([self.data.geom(name).xpos for name in PIECES])
        return BackpackView(
            pieces=(pieces - position) @ rotation,
            held=bool(touch["clothes"].held_by),
            touched=touch["clothes"].touched,
            height=float(position[2]),
            upright=float(rotation[2, 2]),
            zipped=self.zip.progress(self.closing),
            jammed=self.zip.jammed(self.closing),
            pulled=touch["puller"].touched,
        )
