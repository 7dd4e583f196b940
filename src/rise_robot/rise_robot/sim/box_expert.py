"""Scripted expert for Box Closing: one arm loads the cup, both fold the side flaps, one folds the rear flap and holds
it while the other bends the tab, and the first presses the tab home."""

from __future__ import annotations

import numpy as np

from rise_robot.sim.box_rubric import BENT, LID_FOLDED
from rise_robot.sim.box_scene import BOX_HEIGHT, BOX_X, BOX_Y, CUP_HEIGHT, SIDES
from rise_robot.sim.cell import ARMS
from rise_robot.sim.script import OPEN, TILT, Move, ScriptedExpert, Track, Waypoint

BOX_FAILURES = ("joint_noise", "cup_miss", "cup_drop", "flap_short", "press_skip")
"""What may deliberately go wrong when boxes are closed."""

GRASP_Z = CUP_HEIGHT / 2 + 0.016  # m, tool height at the cup
GRASP = 0.030  # m of opening; a cup is 0.05 wide
LET_GO = 0.062  # m of opening within the box
CARRY_Z = 0.235  # m, tool height at which a cup clears the open flaps
LOWERED_Z = GRASP_Z + 0.008  # m, tool height at which a cup is let go in the box
TIP = 0.0165  # m, between tool and the lowest point of closed, tilted fingers
HOLD = 0.5  # rad, at which the rear flap is held while the tab is bent
SIDE_SHIFT = {"left": 0.036, "right": -0.014}  # m along the box: the hands pass each other
LID_Y, TAB_Y = 0.028, 0.030  # m, lateral distance of the tools from the middle, each towards its own arm


class BoxClosingExpert(ScriptedExpert):
    """Closes the box from any state that it can still be closed from."""

    task = "box_closing"

    def decide(self, last: str) -> Move:
        """By the milestones that are reached; within one, by the last move and what came of it."""
        reached = self.robot.task.rubric.reached
        if reached == 0 or last in ("lower", "release"):
            return self._load(last)
        if reached == 1 or last == "sides" or (last in ("", "aside", "clear") and self._sides_reopened):
            return self._fold_sides(last)
        if reached < 4 or last == "press":
            return self._close_lid(last)
        return Move("home", dict.fromkeys(ARMS), dwell=1.0)

    def keeps_hold(self, arm: str) -> bool:
        """The arm that carries the cup."""
        return arm == self._cup_arm == self.robot.task.held_by("cup")

    @property
    def _cup_arm(self) -> str:
        return self.robot.task.setup.arm

    @property
    def _lid_arm(self) -> str:
        return ARMS[1 - ARMS.index(self._cup_arm)]

    @property
    def _sides_reopened(self) -> bool:
        """A side flap that was folded stands open, the rear flap is not in its way and would not press it down."""
        angles = self.robot.task.view().angles
        return bool(self.robot.task.rubric.reached > 1 and max(angles[:2]) > BENT and angles[2] > LID_FOLDED)

    def _load(self, last: str) -> Move:
        arm = self._cup_arm
        cup = self.robot.task.data.body("cup").xpos.copy()
        held = self.keeps_hold(arm)
        if last in ("", "rise", "retry"):
            if held:
                return self._lift(arm)
            x, y = cup[:2] + self.missed_by("cup_miss")
            above = (Waypoint((x, y, cup[2] + 0.10)), Waypoint((x, y, GRASP_Z)))
            return Move("reach", {arm: self.track(arm, above)})
        if last == "reach":
            return Move("grasp", {arm: self.grip(arm, GRASP)}, dwell=0.4)
        if last == "grasp":
            return self._lift(arm)
        if not held and last in ("lift", "carry", "lower"):
            return self._rise(arm, "retry")
        if last == "lift":
            drop = self.goes_wrong("cup_drop")
            points = self._in_box(arm, [((0.0, 0.0, CARRY_Z), TILT)])
            if drop:
                points = self._in_box(arm, [((-BOX_X - 0.02, SIDES[arm] * 0.06, CARRY_Z), TILT)])
            return Move("over" if drop else "carry", {arm: self.track(arm, points, opening=GRASP)})
        if last == "carry":
            points = self._in_box(arm, [((-0.002, 0.0, LOWERED_Z), TILT)])
            return Move("lower", {arm: self.track(arm, points, opening=GRASP, speed=0.15)}, dwell=0.1)
        if last in ("lower", "over"):
            return Move("release", {arm: self.grip(arm, LET_GO if last == "lower" else OPEN)}, dwell=0.35)
        return self._rise(arm, "rise")

    def _lift(self, arm: str) -> Move:
        x, y, _ = self.robot.tool_position(arm)
        return Move("lift", {arm: self.track(arm, [Waypoint((x, y, CARRY_Z))], opening=GRASP)})

    def _rise(self, arm: str, name: str) -> Move:
        x, y, _ = self.robot.tool_position(arm)
        opening = self.robot.command[7 * ARMS.index(arm) + 6]
        return Move(name, {arm: self.track(arm, [Waypoint((x, y, CARRY_Z))], opening=opening)}, dwell=0.1)

    def _fold_sides(self, last: str) -> Move:
        if last == "sides":
            return Move("aside", {arm: self._away(arm) for arm in ARMS})
        short = self.goes_wrong("flap_short")
        return Move("sides", {arm: self._fold_side(arm, short and arm == self._cup_arm) for arm in ARMS}, dwell=0.2)

    def _fold_side(self, arm: str, short: bool) -> Track:
        """From outside over the edge of the box, inwards and down."""
        side, x = SIDES[arm], SIDE_SHIFT[arm]
        way = [(0.10, 0.075), (0.060, 0.042), (0.0, 0.040)]
        way += [(0.004, 0.060)] if short else [(-0.018, 0.040), (-0.026, 0.030), (-0.024, TIP - 0.007)]
        points = [((x, side * (BOX_Y + out), BOX_HEIGHT + up), TILT) for out, up in way]
        return self.track(arm, self._in_box(arm, points), opening=0.0, speed=0.16)

    def _away(self, arm: str) -> Track:
        """Up, and out of the other arm's way."""
        x, y, z = self.robot.tool_position(arm)
        out = SIDES[arm] * max(abs(y), 0.13)
        points = [Waypoint((x, y, z + 0.05)), Waypoint((x - 0.02, out, z + 0.09))]
        return self.track(arm, points, opening=0.0)

    def _close_lid(self, last: str) -> Move:
        angle = float(self.robot.task.view().angles[2])
        lid, tab = self._lid_arm, self._cup_arm
        if last not in ("fold", "bend", "back", "press", "clear"):
            if angle < HOLD + 0.15:
                return self._bend()
            return Move("fold", {lid: self._push_lid(angle), tab: self._wait_in_front()}, dwell=0.1)
        if last == "fold":
            return self._bend()
        if last == "bend":
            return Move("back", {tab: self._wait_in_front(lead_out=True)})
        if last == "back" and not self.goes_wrong("press_skip"):
            return Move("press", {lid: self._press_lid()}, dwell=0.3)
        if last in ("back", "press"):
            return Move("clear", {lid: self._away(lid), tab: self._away(tab)}, dwell=0.3)
        return self._close_lid("")

    def _on_lid(self, angle: float, radius: float, off: float) -> tuple[float, float, float]:
        """Box frame: `off` (m) outside the rear flap at `angle`, `radius` from its crease."""
        x = BOX_X - radius * np.cos(angle) + off * np.sin(angle)
        z = BOX_HEIGHT + 0.004 + radius * np.sin(angle) + off * np.cos(angle)
        return (float(x), SIDES[self._lid_arm] * LID_Y, float(z))

    def _push_lid(self, angle: float) -> Track:
        """Over the flap, down behind it, and forwards on an arc about its crease until HOLD."""
        arm = self._lid_arm
        x, y, z = self._on_lid(angle, 0.06, 0.045)
        points = [((x + 0.02, y, BOX_HEIGHT + 0.16), TILT), ((x + 0.012, y, max(z, BOX_HEIGHT + 0.05)), TILT)]
        for way in np.linspace(angle + 0.1, HOLD, 8):
            points.append((self._on_lid(float(way), 0.066, 0.016), TILT))
        return self.track(arm, self._in_box(arm, points), opening=0.0, speed=0.16)

    def _press_lid(self) -> Track:
        """Down on the flap, near its edge, until it is closed."""
        arm = self._lid_arm
        points = [(self._on_lid(angle, 0.068, TIP - 0.003), TILT) for angle in (HOLD - 0.1, 0.25, 0.1, -0.02)]
        return self.track(arm, self._in_box(arm, points), opening=0.0, speed=0.08)

    def _wait_in_front(self, lead_out: bool = False) -> Track:
        arm = self._cup_arm
        y = SIDES[arm] * TAB_Y
        points = [((-BOX_X - 0.075, y, BOX_HEIGHT + 0.055), TILT)]
        if lead_out:
            points = [((-BOX_X - 0.045, y, BOX_HEIGHT + 0.022), TILT), *points]
        return self.track(arm, self._in_box(arm, points), opening=0.0)

    def _bend(self) -> Move:
        """Push the tab inwards over the near wall, while the other arm keeps the flap from going up."""
        arm = self._cup_arm
        y = SIDES[arm] * TAB_Y
        way = [(-BOX_X - 0.065, 0.028), (-BOX_X - 0.045, 0.020), (-0.038, 0.020)]
        points = self._in_box(arm, [((x, y, BOX_HEIGHT + z), TILT) for x, z in way])
        tracks = {arm: self.track(arm, points, opening=0.0, speed=0.10)}
        lid = self._lid_arm
        if self.robot.task.view().angles[2] < HOLD + 0.15:
            hold = self._in_box(lid, [(self._on_lid(HOLD, 0.060, 0.05), TILT), (self._on_lid(HOLD, 0.060, TIP), TILT)])
            if self.move.name != "fold":
                tracks[lid] = self.track(lid, hold, opening=0.0)
        return Move("bend", tracks, dwell=0.1)

    def _in_box(self, arm: str, points: list[tuple[tuple[float, float, float], float]]) -> list[Waypoint]:
        """Points of the box frame, each with a tilt, as waypoints; the hands turn with the box."""
        (bx, by, _), yaw = self.robot.task.pose()
        cos, sin = np.cos(yaw), np.sin(yaw)
        return [
            Waypoint((float(bx + cos * x - sin * y), float(by + sin * x + cos * y), z), yaw, tilt)
            for (x, y, z), tilt in points
        ]
