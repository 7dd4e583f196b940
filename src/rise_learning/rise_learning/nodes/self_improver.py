"""Self-improvement as a service of the learning machine: started, watched and stopped from the robot.

Action: self_improve (rise_msgs/SelfImprove), one goal at a time, each of which runs the command `self_improve` in a
process of its own, with the parameter `flags` behind those of the goal; what it prints goes to RUN/self_improve.log.
Progress comes with every line of its metrics. Cancelling, or ending the node, ends it; RUN/self_improved keeps its
newest checkpoint, where a goal with `resume` goes on.
"""

from __future__ import annotations

import shlex
import sys
import threading
from pathlib import Path

import rclpy.node
from rclpy.action.server import ServerGoalHandle

from rise_learning.errors import RiseLearningError
from rise_learning.evaluation.summary import read
from rise_learning.nodes.one_goal import OneGoalServer
from rise_learning.policy.checkpoint import MODEL
from rise_learning.policy.location import policy_directory
from rise_learning.training.background import BackgroundTraining
from rise_msgs.action import SelfImprove
from rise_robot.nodes import runtime
from rise_robot.nodes.runtime import declare

MODULE = "rise_learning.self_improve"
LOOK_S = 0.5
UNKNOWN = float("nan")


class SelfImproverNode:
    """Declares, wires, delegates: the work is the command's."""

    def __init__(self) -> None:
        self.node = node = rclpy.node.Node("self_improver")
        self._flags = shlex.split(declare(node, "flags", "", "Further flags of self_improve, as on a command line."))
        self._stop = threading.Event()
        self._action = OneGoalServer(
            node, SelfImprove, "self_improve", self._execute, usable=lambda goal: bool(goal.run and goal.bags),
            refusal="another one runs, or it names no run or no bags",
        )  # fmt: skip

    def run(self, stop: threading.Event) -> None:
        runtime.wait(stop)
        self._stop.set()
        with self._action.busy:  # until the running command has ended
            pass

    def close(self) -> None:
        self._stop.set()
        self._action.destroy()

    def _execute(self, handle: ServerGoalHandle) -> SelfImprove.Result:
        message, result = self._improve(handle)
        result.message, result.success = message, not message
        if not message:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            self.node.get_logger().error(message)
            handle.abort()
        return result

    def _improve(self, handle: ServerGoalHandle) -> tuple[str, SelfImprove.Result]:
        """Why it ended early, or nothing, and what was done."""
        goal: SelfImprove.Goal = handle.request
        out, result = Path(goal.run) / "self_improved", SelfImprove.Result()
        if not goal.resume and any((out / "checkpoints").glob("*")):
            return f"{out} has checkpoints; resume, or name another run", result
        training = BackgroundTraining(MODULE, [*flags_of(goal), *self._flags], out, Path(goal.run) / "self_improve.log")
        ended = ""
        try:
            while (code := training.wait(LOOK_S)) is None:
                if handle.is_cancel_requested or self._stop.is_set():
                    ended = "cancelled" if handle.is_cancel_requested else "the node was ended"
                    break
                handle.publish_feedback(progress(training.newest(), steps_of(out) or goal.steps))
        finally:
            training.end()
        done = training.newest()
        result.steps, result.imagined_chunks = int(done.get("step", 0)), int(done.get("imagined", 0))
        if ended or code:
            return ended or f"{training.last_words()} ({training.log})", result
        result.checkpoint = str(out / MODEL)
        return "", result


def flags_of(goal: SelfImprove.Goal) -> list[str]:
    """As on the command line of self_improve."""
    flags = ["--bags", *goal.bags, "--out", goal.run, "--seed", str(goal.seed)]
    preset = goal.preset or _preset_of(Path(goal.run))
    return (
        flags
        + (["--preset", preset] if preset else [])
        + (["--training.loop.steps", str(goal.steps)] if goal.steps else [])
    )


def _preset_of(run: Path) -> str:
    """The preset that the newest policy of a run was trained with; nothing where that is not known."""
    try:
        return _args_of(policy_directory(run)).get("preset", "")
    except RiseLearningError:
        return ""


def steps_of(directory: Path) -> int:
    """That a training is to do, by its resolved configuration; 0 before it has written one."""
    args = _args_of(directory)
    return args["training"]["loop"]["steps"] if args else 0


def _args_of(directory: Path) -> dict:
    """The resolved flags of a training; nothing before it has written them."""
    return read(directory / "config.json").get("args", {})


def progress(metrics: dict, steps: int) -> SelfImprove.Feedback:
    """Of the newest line of metrics."""
    step, rate = int(metrics.get("step", 0)), metrics.get("steps_per_second", 0.0)
    return SelfImprove.Feedback(
        step=step,
        steps=steps,
        loss=float(metrics.get("loss", UNKNOWN)),
        imagined_chunks=int(metrics.get("imagined", 0)),
        eta_s=(steps - step) / rate if rate and steps else UNKNOWN,
    )


def main() -> int:
    return runtime.run(SelfImproverNode, threads=4)


if __name__ == "__main__":
    sys.exit(main())
