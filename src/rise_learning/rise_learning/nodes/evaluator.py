"""Evaluates a policy on a running robot, real or simulated: episodes, outcomes, and how the deployment ran.

Action: evaluate (rise_msgs/Evaluate), with progress; cancelling ends after the running episode. Where the policy node
runs another policy than the goal's, it is made to load that one. With parameter `episodes` it evaluates by itself and
ends. Results are written as JSON beside the policy, as those of `python -m rise_learning.evaluate`.
Uses: episode/start, episode/end, control/set. Listens to episode/*, policy/status, control/status, /diagnostics.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import rclpy.node
from rclpy.action.server import ServerGoalHandle

from rise_learning.errors import EvaluationError, RiseLearningError
from rise_learning.evaluation.results import EpisodeResult, summarize
from rise_learning.nodes.episode_driver import EpisodeDriver
from rise_learning.nodes.one_goal import OneGoalServer
from rise_learning.nodes.policy_switch import PolicySwitch
from rise_learning.policy.location import best_bin, policy_directory, policy_version
from rise_msgs.action import Evaluate
from rise_robot.nodes import runtime
from rise_robot.nodes.runtime import declare

FILE = "evaluation_ros.json"
PATIENCE = 10
"""Episodes that may be repeated beyond those asked for."""
Progress = Callable[[int, int, float], bool]


@dataclass
class Evaluation:
    """Results so far, how many episodes had to be repeated, and the reason where it ended early."""

    results: list[EpisodeResult]
    figures: dict[str, object]
    message: str = ""
    report: str = ""
    repeated: int = 0

    @property
    def successes(self) -> int:
        """Of the results."""
        return sum(each.success for each in self.results)

    def summary(self) -> dict:
        """Plain values for JSON."""
        counted = summarize(self.results) if self.results else {"episodes": 0, "successes": 0}
        return {**counted, "repeated": self.repeated, "message": self.message}


class EvaluatorNode:
    """Declares, wires, delegates; one evaluation at a time."""

    def __init__(self) -> None:
        self.node = node = rclpy.node.Node("evaluator")
        runtime.declare_contract(node)
        self._run = declare(node, "run", "", "Run directory or policy directory of an evaluation by itself.")
        self._episodes = declare(node, "episodes", 0, "Episodes to evaluate by itself, then end; 0: actions only.")
        self._seed = declare(node, "seed", 1_000_000, "Seed of the first of them.", low=0, high=2**31)
        self._timeout_s = declare(
            node, "episode_timeout_s", 120.0, "Wall time until an undecided episode is ended.", low=1.0, high=3600.0
        )
        self._ready_s = declare(node, "ready_s", 60.0, "Wall time to wait for robot and policy.", low=1.0, high=600.0)
        self._stop = threading.Event()
        self._driver = EpisodeDriver(node, self._stop)
        self._switch = PolicySwitch(node)
        self._action = OneGoalServer(
            node, Evaluate, "evaluate", self._execute, usable=lambda goal: goal.episodes > 0,
            refusal="an evaluation runs, or no episodes were asked for",
        )  # fmt: skip

    def run(self, stop: threading.Event) -> None:
        watcher = threading.Thread(target=lambda: (stop.wait(), self._stop.set()), daemon=True)
        watcher.start()
        if not self._episodes:
            runtime.wait(stop)
            return
        goal = Evaluate.Goal(run=self._run, episodes=self._episodes, seed=self._seed)
        with self._action.busy:
            evaluation = self._evaluate(goal, lambda *_: not stop.is_set())
        print(json.dumps(evaluation.summary() | {"deployment": evaluation.figures}), flush=True)
        if evaluation.message and not stop.is_set():
            raise EvaluationError(evaluation.message)

    def close(self) -> None:
        self._stop.set()
        self._action.destroy()

    def _execute(self, handle: ServerGoalHandle) -> Evaluate.Result:
        begun = time.monotonic()

        def progress(done: int, successes: int, seconds: float) -> bool:
            left = float("nan") if not done else (time.monotonic() - begun) / done * (handle.request.episodes - done)
            handle.publish_feedback(
                Evaluate.Feedback(episode=done, episodes=handle.request.episodes, successes=successes, eta_s=left)
            )
            return not handle.is_cancel_requested

        evaluation = self._evaluate(handle.request, progress)
        if handle.is_cancel_requested:
            handle.canceled()
        elif evaluation.message:
            handle.abort()
        else:
            handle.succeed()
        return _result(evaluation)

    def _evaluate(self, goal: Evaluate.Goal, go_on: Progress) -> Evaluation:
        """All episodes of a goal; an error ends it early and becomes its message."""
        evaluation, begun, directory = Evaluation([], {}), time.monotonic(), None
        try:
            directory = self._prepare(goal)
            self._driver.forget()
            while (done := len(evaluation.results)) < goal.episodes:
                self._driver.give_control_to_policy(self._ready_s)
                result = self._driver.run_episode(goal.task, goal.seed + done, self._timeout_s)
                self._take(evaluation, result, goal)
                done = len(evaluation.results)
                if not go_on(done, evaluation.successes, time.monotonic() - begun) and done < goal.episodes:
                    evaluation.message = f"cancelled after {done} of {goal.episodes} episodes"
                    break
        except RiseLearningError as error:
            evaluation.message = str(error)
            self.node.get_logger().error(evaluation.message)
        if evaluation.results:
            evaluation.figures = self._driver.figures.summary()
            evaluation.report = self._write(directory, evaluation)
        return evaluation

    def _take(self, evaluation: Evaluation, result: EpisodeResult | None, goal: Evaluate.Goal) -> None:
        """Count an episode, or have it repeated. Raises EvaluationError where that does not end."""
        if result is None:
            evaluation.repeated += 1
            self.node.get_logger().warning(f"an episode without an outcome is repeated ({evaluation.repeated} so far)")
            if evaluation.repeated > goal.episodes + PATIENCE:
                raise EvaluationError(f"{evaluation.repeated} episodes were discarded or ended without an outcome")
            return
        evaluation.results.append(result)
        self.node.get_logger().info(
            f"episode {len(evaluation.results)} of {goal.episodes}, seed {result.seed}: "
            f"{'success' if result.success else 'no success'}, score {result.score:g}; {evaluation.successes} so far"
        )

    def _prepare(self, goal: Evaluate.Goal) -> Path | None:
        """The directory of the goal's policy, which now runs as the goal asks; None where any policy will do."""
        if not goal.run:
            if goal.advantage_bin:
                raise EvaluationError(f"advantage bin {goal.advantage_bin} was asked for, but of which run is not said")
            return None
        directory = policy_directory(Path(goal.run) / goal.policy)
        version, number = policy_version(directory), goal.advantage_bin or best_bin(directory)
        if not self._driver.wait_for_policy(self._ready_s):
            raise EvaluationError(f"policy/status says nothing within {self._ready_s:g} s; start the policy node")
        if not self._driver.wait_for_policy(0.0, version, number):
            self.node.get_logger().info(f"{self._running()} runs; loading {version!r}")
            self._switch.load(directory.resolve(), goal.advantage_bin or -1)
            if not self._driver.wait_for_policy(self._ready_s, version, number):
                raise EvaluationError(f"{self._running()} runs, expected {version!r}, bin {number}")
        return directory

    def _running(self) -> str:
        return f"policy {self._driver.policy_version!r}, asked for bin {self._driver.advantage_bin},"

    def _write(self, directory: Path | None, evaluation: Evaluation) -> str:
        if directory is None:
            return ""
        path = directory / FILE
        results = [asdict(result) for result in evaluation.results]
        temporary = path.with_suffix(".tmp")
        temporary.write_text(
            json.dumps({**evaluation.summary(), "deployment": evaluation.figures, "results": results}, indent=2)
        )
        os.replace(temporary, path)
        return str(path)


def _result(evaluation: Evaluation) -> Evaluate.Result:
    summary, nan = evaluation.summary(), float("nan")
    low, high = summary.get("wilson95", (nan, nan))
    return Evaluate.Result(
        episodes=summary["episodes"],
        successes=summary["successes"],
        success_rate=summary.get("success_rate", nan),
        wilson_lower=low,
        wilson_upper=high,
        score_mean=summary.get("score_mean", nan),
        report=evaluation.report,
        message=evaluation.message,
    )


def main() -> int:
    return runtime.run(EvaluatorNode, threads=4)


if __name__ == "__main__":
    sys.exit(main())
