"""Exits with 0 when MuJoCo renders a picture without a screen through the OpenGL that MUJOCO_GL names."""

from __future__ import annotations

import mujoco

SCENE = """
<mujoco>
  <visual><global offwidth="64" offheight="48"/></visual>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="sphere" size=".3" rgba="1 0 0 1"/>
    <camera name="front" pos="0 -1 0" xyaxes="1 0 0 0 0 1"/>
  </worldbody>
</mujoco>
"""


def main() -> None:
    """Render a red ball and look at the middle of the picture."""
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, height=48, width=64) as renderer:
        renderer.update_scene(data, camera="front")
        red, green, _ = renderer.render()[24, 32].tolist()
    if red <= green:
        raise SystemExit(f"expected a red ball in the middle of the picture, got red {red} and green {green}")


if __name__ == "__main__":
    main()
