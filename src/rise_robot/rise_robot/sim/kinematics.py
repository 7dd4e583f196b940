"""Forward kinematics and Jacobian of one AgileX Piper arm from its modified Denavit-Hartenberg parameters.

Link i is placed by Rx(alpha_i) Tx(a_i) Rz(theta_i + offset_i) Tz(d_i). The offsets of joints 2 and 3 depend on the
firmware; `contract.dh_convention` says which ("current": -172.22 and -102.78 deg, "old": -174.22 and -100.78 deg;
the two differ by up to 10 mm at the flange). The tool frame sits between the fingertips: z points out of the
gripper, y is the direction in which the fingers open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rise_robot.core.errors import SimulationError

ALPHA = np.array([0.0, -np.pi / 2, 0.0, np.pi / 2, -np.pi / 2, np.pi / 2])  # rad
A = np.array([0.0, 0.0, 0.28503, -0.02198, 0.0, 0.0])  # m
D = np.array([0.123, 0.0, 0.0, 0.25075, 0.0, 0.091])  # m
THETA_OFFSET_DEG = {
    "current": (0.0, -172.22, -102.78, 0.0, 0.0, 0.0),
    "old": (0.0, -174.22, -100.78, 0.0, 0.0, 0.0),
}
TOOL_Z = 0.135
"""Distance from the flange (frame 6) to the middle of the fingertips, m."""


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of the columns of `a` and `b` (3, N); ten times faster than numpy's for a few columns."""
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def theta_offset(convention: str) -> np.ndarray:
    """(6,) rad of one firmware convention; raises SimulationError for an unknown one."""
    if convention not in THETA_OFFSET_DEG:
        raise SimulationError(f"unknown dh_convention {convention!r}; known ones are {sorted(THETA_OFFSET_DEG)}")
    return np.radians(THETA_OFFSET_DEG[convention])


@dataclass(frozen=True)
class PiperKinematics:
    """Kinematics of one arm in its base frame (x forward, z up)."""

    convention: str = "current"

    def link_transforms(self, q: np.ndarray) -> np.ndarray:
        """(6, 4, 4) frames of links 1 to 6 in the base frame for joint angles `q` (6,) rad."""
        theta = np.asarray(q, float) + theta_offset(self.convention)
        ct, st, ca, sa = np.cos(theta), np.sin(theta), np.cos(ALPHA), np.sin(ALPHA)
        local = np.zeros((6, 4, 4))
        local[:, 0, 0], local[:, 0, 1], local[:, 0, 3] = ct, -st, A
        local[:, 1, 0], local[:, 1, 1], local[:, 1, 2], local[:, 1, 3] = st * ca, ct * ca, -sa, -sa * D
        local[:, 2, 0], local[:, 2, 1], local[:, 2, 2], local[:, 2, 3] = st * sa, ct * sa, ca, ca * D
        local[:, 3, 3] = 1.0
        for i in range(1, 6):
            local[i] = local[i - 1] @ local[i]
        return local

    def tool(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) m and rotation (3, 3) of the tool frame in the base frame."""
        flange = self.link_transforms(q)[5]
        return flange[:3, 3] + TOOL_Z * flange[:3, 2], flange[:3, :3]

    def tool_and_jacobian(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tool position (3,), rotation (3, 3) and geometric Jacobian (6, 6): linear rows above angular rows."""
        frames = self.link_transforms(q)
        rotation = frames[5, :3, :3]
        position = frames[5, :3, 3] + TOOL_Z * rotation[:, 2]
        axes, arms = frames[:, :3, 2].T, (position - frames[:, :3, 3]).T  # every joint turns about its own z
        return position, rotation, np.concatenate([cross(axes, arms), axes])
