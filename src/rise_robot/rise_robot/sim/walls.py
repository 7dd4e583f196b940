"""MJCF of open containers: four walls around a rectangle."""

from __future__ import annotations


def walls_xml(name: str, half: tuple[float, float], height: float, thickness: float, attributes: str) -> str:
    """Geoms NAME_far, NAME_near (at +x, -x), NAME_left, NAME_right (at +y, -y), which stand on z = 0.

    Args:
        half: half sizes inside along x and y, m.
        attributes: of every wall: mass, colour, friction, collision bits.
    """
    (x, y), t, h = half, thickness / 2, height / 2
    walls = (
        ("far", x + t, 0.0, t, y + thickness),
        ("near", -x - t, 0.0, t, y + thickness),
        ("left", 0.0, y + t, x, t),
        ("right", 0.0, -y - t, x, t),
    )
    return "".join(
        f'<geom name="{name}_{side}" type="box" pos="{at_x} {at_y} {h}" size="{size_x} {size_y} {h}" {attributes}/>'
        for side, at_x, at_y, size_x, size_y in walls
    )
