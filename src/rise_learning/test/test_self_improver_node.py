"""Self-improvement as an action: the command runs, tells how far it is, ends when it is cancelled, and goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
sys.path.insert(0, str(Path(__file__).parent))

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from ros_helpers import TINY, Domain
from synthetic import save_untrained_world

from rise_learning.policy.checkpoint import load_policy
from rise_msgs.action import SelfImprove
from rise_robot.collect import CollectConfig, collect

FLAGS = (
    "--threads 1 --training.starts-per-rollout 2 --training.chunks-per-start 1 --training.loop.batch-size 4 "
    "--training.loop.log-every 1 --training.loop.checkpoint-every 1 --training.video-every 0"
)


class Client:
    """Sends goals to a self_improver, and keeps what it feeds back."""

    def __init__(self, domain: Domain) -> None:
        self.domain, self.feedback = domain, list[Any]()
        self.client = ActionClient(domain.node, SelfImprove, "self_improve")
        domain.spin_until(self.client.server_is_ready)

    def ask(self, goal: SelfImprove.Goal) -> Any:
        """Handle of the goal."""
        self.feedback.clear()
        sent = self.client.send_goal_async(goal, feedback_callback=lambda m: self.feedback.append(m.feedback))
        self.domain.spin_until(sent.done)
        return sent.result()

    def answer(self, handle: Any) -> tuple[int, SelfImprove.Result]:
        """Status and result."""
        done = handle.get_result_async()
        self.domain.spin_until(done.done)
        return done.result().status, done.result().result


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bags") / "demonstrations"
    collect(CollectConfig(episodes=1), TINY, directory, progress=False)
    return directory


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    domain, patch = Domain(), pytest.MonkeyPatch()
    patch.setenv("RISE_CACHE", str(tmp_path_factory.mktemp("cache")))
    try:
        domain.start("rise_learning.nodes.self_improver", "--ros-args", "-p", f"flags:={FLAGS}")
        yield Client(domain)
    finally:
        domain.close()
        patch.undo()


def test_a_goal_is_cancelled_and_resumed_to_its_end(client: Client, bag: Path, tmp_path: Path) -> None:
    run = save_untrained_world(tmp_path / "run")
    goal = SelfImprove.Goal(run=str(run), bags=[str(bag)], preset="tiny", steps=100_000)
    handle = client.ask(goal)
    assert handle.accepted and not client.ask(goal).accepted, "one at a time"
    client.domain.spin_until(lambda: client.feedback and client.feedback[-1].step >= 2)
    told = client.feedback[-1]
    assert told.steps == 100_000 and told.eta_s > 0 and np.isfinite(told.loss) and told.imagined_chunks > 0
    client.domain.spin_until(handle.cancel_goal_async().done)
    status, result = client.answer(handle)
    assert status == GoalStatus.STATUS_CANCELED and result.message == "cancelled" and result.steps >= 2
    assert not result.success and result.checkpoint == ""

    status, refused = client.answer(client.ask(goal))
    assert status == GoalStatus.STATUS_ABORTED and "has checkpoints; resume" in refused.message

    last = int(max((run / "self_improved" / "checkpoints").glob("*")).name.rpartition("_")[2])
    goal.resume, goal.steps = True, last + 2
    status, result = client.answer(client.ask(goal))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.message
    assert result.success and result.steps == last + 2
    assert load_policy(Path(result.checkpoint).parent, TINY).version.startswith(f"run/self_improved@{last + 2}-")


def test_what_the_command_refuses_is_the_answer(client: Client, tmp_path: Path) -> None:
    run = save_untrained_world(tmp_path / "run")
    goal = SelfImprove.Goal(run=str(run), bags=[str(tmp_path / "missing")], preset="tiny")
    status, result = client.answer(client.ask(goal))
    assert status == GoalStatus.STATUS_ABORTED and "missing" in result.message and "error:" in result.message
    assert not client.ask(SelfImprove.Goal(run=str(run))).accepted, "no bags"
