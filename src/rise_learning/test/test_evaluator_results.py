"""What an evaluation on a robot has counted is kept, however it ends."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from rise_learning.errors import EvaluationError
from rise_learning.evaluation.results import EpisodeResult
from rise_learning.nodes.evaluator import EvaluatorNode
from rise_msgs.action import Evaluate

SAID = SimpleNamespace(info=print, warning=print, error=print)


class Driver:
    """Episodes as they are listed; an error is raised."""

    def __init__(self, *episodes: bool | Exception | None) -> None:
        self.left, self.seeds = list(episodes), list[int]()
        self.figures = SimpleNamespace(summary=lambda: {"inferences": 1})

    def forget(self) -> None: ...

    def give_control_to_policy(self, _: float) -> None: ...

    def run_episode(self, task: str, seed: int, _: float) -> EpisodeResult | None:
        self.seeds.append(seed)
        outcome = self.left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return None if outcome is None else EpisodeResult(seed, outcome, 1.0, 2.0, ())


def evaluated(directory: Path, driver: Driver, episodes: int) -> dict:
    """What was written."""
    node = object.__new__(EvaluatorNode)
    node.__dict__ |= {
        "_driver": driver, "_ready_s": 1.0, "_timeout_s": 1.0, "_prepare": lambda goal: directory,
        "node": SimpleNamespace(get_logger=lambda: SAID),
    }  # fmt: skip
    found = node._evaluate(Evaluate.Goal(episodes=episodes, seed=5), lambda *_: True)
    return json.loads(Path(found.report).read_text())


def test_an_error_loses_nothing_that_was_counted(tmp_path: Path) -> None:
    written = evaluated(tmp_path, Driver(True, False, EvaluationError("the robot is gone")), 20)
    assert (written["episodes"], written["successes"], written["message"]) == (2, 1, "the robot is gone")
    assert written["deployment"] == {"inferences": 1} and len(written["results"]) == 2


def test_an_episode_without_an_outcome_is_repeated_with_its_scene(tmp_path: Path) -> None:
    driver = Driver(True, None, None, False)
    written = evaluated(tmp_path, driver, 2)
    assert driver.seeds == [5, 6, 6, 6] and (written["episodes"], written["repeated"]) == (2, 2)


def test_a_robot_that_never_decides_ends_it(tmp_path: Path) -> None:
    written = evaluated(tmp_path, Driver(True, *[None] * 30), 2)
    assert written["episodes"] == 1 and "were discarded or ended without an outcome" in written["message"]
