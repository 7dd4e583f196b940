"""Boxes as one mesh look like boxes, and physics keeps its own."""

from __future__ import annotations

import numpy as np

from rise_robot.sim.painted_boxes import Box, painted
from rise_robot.sim.rendering import CameraRenderer, mujoco

BOXES = [Box((0.0, 0.0, 0.05), (0.05, 0.1, 0.05)), Box((0.2, -0.1, 0.02), (0.03, 0.03, 0.02))]
RGBA = "0.8 0.3 0.1 1"


def cell(assets: str, bodies: str) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(f"""<mujoco><asset>{assets}</asset><worldbody>
      <light directional="true" dir=".3 .2 -1" diffuse=".6 .6 .6" ambient=".3 .3 .3" castshadow="false"/>
      <camera name="seen" pos=".5 -.4 .5" xyaxes=".6 .8 0 -.45 .34 .83" fovy="50"/>
      <geom type="plane" size="2 2 .1" rgba=".5 .5 .5 1"/>{bodies}</worldbody></mujoco>""")


def picture(model: mujoco.MjModel) -> np.ndarray:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = CameraRenderer(model, {"seen": (60, 80)})
    image = renderer.render(data, "seen").astype(int)
    renderer.close()
    return image


def test_one_mesh_looks_like_its_boxes() -> None:
    asset, geom = painted("both", RGBA, BOXES)
    each = "".join(box.solid(f'rgba="{RGBA}"').replace('group="3"', "") for box in BOXES)
    boxes, mesh = picture(cell("", each)), picture(cell(asset, geom))
    table = picture(cell("", ""))
    assert (np.abs(boxes - table).max(-1) > 20).mean() > 0.03, "there is something to be seen"
    assert (np.abs(boxes - mesh).max(-1) > 3).mean() < 0.002, "but for a pixel on an edge"


def test_what_physics_knows_is_not_shown() -> None:
    solid = "".join(box.solid('contype="1" conaffinity="1"') for box in BOXES)
    assert (picture(cell("", solid)) == picture(cell("", ""))).all()
    model = cell("", solid)
    assert model.geom_contype[1:].all() and (model.geom_size[1:] == [box.half for box in BOXES]).all()
