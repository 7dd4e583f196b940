"""Scripted expert for Backpack Packing: one arm holds the mouth open while the other puts the clothes in, both lift the
bag by its handles, and one keeps hold of a handle while the other pulls the zip."""

from __future__ import annotations

import numpy as np

from rise_robot.sim.backpack_rubric import WHOLE
from rise_robot.sim.backpack_scene import BAG_HEIGHT, HANDLE_Y, HANDLE_Z, PULLER_Z
from rise_robot.sim.cell import ARM_SIDE, ARMS
from rise_robot.sim.script import OPEN, Move, ScriptedExpert, Track, Waypoint

BACKPACK_FAILURES = ("joint_noise", "clothes_miss", "clothes_drop", "lift_skip", "zip_miss", "zip_short")
"""What may deliberately go wrong when backpacks are packed."""

GRASP = 0.024  # m of opening; a piece of clothing is 0.048 wide
HOOK = 0.045  # m of opening, with which the mouth is held
CARRY_Z = 0.25  # m, tool height at which hanging clothes clear the mouth
INSERT_Z = 0.075  # m, tool height at which clothes are let go in the bag
RAISE = 0.065  # m, by which the bag is lifted
INSERT_Y = 0.036  # m, towards the arm with the clothes; the other arm has its fingers in the mouth beside
HOOK_Y = 0.066  # m, towards the other side


class BackpackPackingExpert(ScriptedExpert):
    """Packs the bag from any state that it can still be packed from."""

    task = "backpack_packing"

    def decide(self, last: str) -> Move:
        """By the milestones that are reached; within one, by the last move and what came of it."""
        reached = self.robot.task.rubric.reached
        if reached == 0 or last in ("lower", "release"):
            return self._insert(last)
        if reached == 1 or last == "lowered":
            return self._lift(last)
        if reached < 4 or last in ("pull", "let_go"):
            return self._zip(last)
        return Move("home", dict.fromkeys(ARMS), dwell=1.0)

    def keeps_hold(self, arm: str) -> bool:
        """The arm that carries the clothes, both that lift the bag, and the one that holds it while it is zipped."""
        reached = self.robot.task.rubric.reached
        if reached == 0:
            return arm == self._packer == self.robot.task.held_by("clothes")
        return (arm == self._holder or reached == 1) and self.robot.task.grips_handle(arm)

    @property
    def _packer(self) -> str:
        """The arm on whose side the clothes lie; it zips as well, towards its own side."""
        return self.robot.task.setup.arm

    @property
    def _holder(self) -> str:
        return ARMS[1 - ARMS.index(self._packer)]

    def _insert(self, last: str) -> Move:
        arm, held = self._packer, self.keeps_hold(self._packer)
        if last in ("", "rise", "retry", "unhook") and not held:
            return self._reach()
        if last == "reach":
            return Move("grasp", {arm: self.grip(arm, GRASP)}, dwell=0.4)
        if last in ("", "rise", "retry", "unhook", "grasp"):
            x, y, _ = self.robot.tool_position(arm)
            up = self.track(arm, [Waypoint((x, y, CARRY_Z), self._clothes_yaw())], opening=GRASP)
            return Move("lift", {arm: up, self._holder: self._hook()}, dwell=0.1)
        if not held and last in ("lift", "carry"):
            return self._rise("retry")
        if last == "lift":
            return self._carry()
        if last == "carry":
            points = [self._in_bag((0.0, INSERT_Y * self._side, INSERT_Z))]
            return Move("lower", {arm: self.track(arm, points, opening=GRASP, speed=0.15)}, dwell=0.1)
        if last in ("lower", "over"):
            return Move("release", {arm: self.grip(arm, 0.062 if last == "lower" else OPEN)}, dwell=0.4)
        return self._rise("rise")

    @property
    def _side(self) -> float:
        return ARM_SIDE[self._packer]

    def _clothes_yaw(self) -> float:
        rotation = self.robot.task.data.body("clothes").xmat.reshape(3, 3)
        yaw = float(np.arctan2(rotation[1, 0], rotation[0, 0]))
        return float(np.clip((yaw + np.pi / 2) % np.pi - np.pi / 2, -0.6, 0.6))

    def _reach(self) -> Move:
        x, y, z = self.robot.task.data.body("clothes").xpos
        dx, dy = self.missed_by("clothes_miss")
        yaw, low = self._clothes_yaw(), max(float(z) + 0.004, 0.022)
        points = [Waypoint((x + dx, y + dy, z + 0.10), yaw), Waypoint((x + dx, y + dy, low), yaw)]
        return Move("reach", {self._packer: self.track(self._packer, points)})

    def _hook(self) -> Track:
        """Open fingers into the mouth behind its near side, and that side back."""
        y = -HOOK_Y * self._side
        way = [(0.01, y, BAG_HEIGHT + 0.12), (-0.005, y, BAG_HEIGHT + 0.038), (-0.062, y, BAG_HEIGHT + 0.034)]
        return self.track(self._holder, [self._in_bag(p) for p in way], opening=HOOK)

    def _carry(self) -> Move:
        arm = self._packer
        if self.goes_wrong("clothes_drop"):
            point = self._in_bag((-0.12, 0.07 * self._side, CARRY_Z))
            return Move("over", {arm: self.track(arm, [point], opening=GRASP)})
        point = self._in_bag((0.0, INSERT_Y * self._side, CARRY_Z))
        return Move("carry", {arm: self.track(arm, [point], opening=GRASP)}, dwell=0.2)

    def _rise(self, name: str) -> Move:
        arm = self._packer
        x, y, _ = self.robot.tool_position(arm)
        opening = float(self.robot.command[7 * ARMS.index(arm) + 6])
        return Move(name, {arm: self.track(arm, [Waypoint((x, y, CARRY_Z))], opening=opening)}, dwell=0.1)

    def _lift(self, last: str) -> Move:
        if last == "handles":
            return Move("grip", {arm: self.grip(arm, 0.0) for arm in ARMS}, dwell=0.45)
        if last == "grip" or (last == "" and all(map(self.robot.task.grips_handle, ARMS))):
            if self.goes_wrong("lift_skip"):
                return Move("down", {arm: self.grip(arm, OPEN) for arm in ARMS}, dwell=0.5)
            return Move("raise", {arm: self._handle_track(arm, (RAISE,), 0.0, 0.10) for arm in ARMS}, dwell=0.5)
        if last == "raise":
            return Move("lowered", {arm: self._handle_track(arm, (0.0,), 0.0, 0.08) for arm in ARMS}, dwell=0.3)
        if last == "lowered":
            return Move("down", {self._packer: self.grip(self._packer, OPEN)}, dwell=0.35)
        if last == "down":
            return Move("again", {arm: self._up(arm) for arm in ARMS})
        if last in ("rise", "release"):
            return Move("unhook", {self._holder: self._unhook()})
        return Move("handles", {arm: self._handle_track(arm, (0.08, 0.0), OPEN, 0.2) for arm in ARMS}, dwell=0.1)

    def _handle_track(self, arm: str, heights: tuple[float, ...], opening: float, speed: float) -> Track:
        """To `heights` (m) above where its handle is with the bag on the table."""
        x, y, _ = self._in_bag((0.0, ARM_SIDE[arm] * HANDLE_Y, 0.0)).position
        if opening == 0.0:
            x, y, _ = (self._arms[arm].held or Waypoint((x, y, 0.0))).position
        points = [Waypoint((x, y, HANDLE_Z + 0.004 + h), self._yaw) for h in heights]
        return self.track(arm, points, opening=opening, speed=speed)

    def _up(self, arm: str) -> Track:
        x, y, z = self.robot.tool_position(arm)
        return self.track(arm, [Waypoint((x, y, z + 0.09), self._yaw)])

    def _unhook(self) -> Track:
        arm = self._holder
        y = -HOOK_Y * self._side
        way = [(-0.005, y, BAG_HEIGHT + 0.036), (0.0, y, BAG_HEIGHT + 0.13)]
        way += [(-0.02, -0.17 * self._side, BAG_HEIGHT + 0.12)]
        return self.track(arm, [self._in_bag(p) for p in way], opening=HOOK)

    def _zip(self, last: str) -> Move:
        arm = self._packer
        if not self.robot.task.grips_handle(self._holder) and last not in ("hold", "clasp", "pull", "let_go"):
            track = self._handle_track(self._holder, (0.08, 0.0), OPEN, 0.2)
            return Move("hold", {self._holder: track}, dwell=0.1)
        if last == "hold":
            return Move("clasp", {self._holder: self.grip(self._holder, 0.0)}, dwell=0.45)
        if last == "puller":
            return Move("pinch", {arm: self.grip(arm, 0.0)}, dwell=0.4)
        if last == "pinch":
            return Move("pull", {arm: self._pull()}, dwell=0.4)
        if last == "pull":
            done = self.robot.task.view().zipped >= WHOLE
            return Move("let_go", {each: self.grip(each, OPEN) for each in (ARMS if done else [arm])}, dwell=0.35)
        if last == "let_go":
            return Move("off", {arm: self._up(arm)})
        x, y, z = self.robot.task.data.geom("puller").xpos
        dx, dy = self.missed_by("zip_miss")
        x, y, z = float(x + dx), float(y + dy), float(z)
        tx, ty, _ = self.robot.tool_position(arm)
        points = [Waypoint((tx, ty, z + 0.08), self._yaw), Waypoint((x, y, z + 0.08), self._yaw)]
        points.append(Waypoint((x, y, z + 0.004), self._yaw))
        return Move("puller", {arm: self.track(arm, points, opening=0.05, speed=0.2)}, dwell=0.1)

    def _pull(self) -> Track:
        """Along the zip to its end, a little further than that, at the height of the tab."""
        end = 0.0 if self.goes_wrong("zip_short") else 0.067
        arm, goal = self._packer, self._in_bag((0.0, end * self._side, PULLER_Z + 0.004))
        return self.track(arm, [goal], opening=0.0, speed=0.07)

    @property
    def _yaw(self) -> float:
        rotation = self.robot.task.pose()[1]
        return float(np.arctan2(rotation[1, 0], rotation[0, 0]))

    def _in_bag(self, point: tuple[float, float, float]) -> Waypoint:
        """A point of the bag frame as it stands on the table, as a waypoint turned with the bag."""
        position, yaw = self.robot.task.pose()[0], self._yaw
        x, y, z = point
        cos, sin = np.cos(yaw), np.sin(yaw)
        return Waypoint((float(position[0] + cos * x - sin * y), float(position[1] + sin * x + cos * y), z), yaw)
