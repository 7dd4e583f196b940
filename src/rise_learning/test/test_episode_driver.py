"""Who asks for control, and when not to: what a person has put on hold stays there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

import rclpy

from rise_learning.errors import EvaluationError
from rise_learning.nodes.episode_driver import EpisodeDriver
from rise_msgs.msg import ControlStatus, EpisodeStatus


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[EpisodeDriver]:
    """Alone; `asked` are the modes that it asks for."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("driver", context=context)
    found = EpisodeDriver(node, threading.Event())
    found.asked = []  # type: ignore[attr-defined]
    monkeypatch.setattr(found, "call", lambda _, request: found.asked.append(request.mode))  # type: ignore[attr-defined]
    yield found
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize(
    "reason", ["hold: asked for by the operator", "joints do not follow their commands", "activated anew"]
)
def test_a_hold_that_is_meant_is_waited_out(driver: EpisodeDriver, reason: str) -> None:
    driver._on_control(ControlStatus(mode="hold", reason=reason))
    with pytest.raises(EvaluationError, match=f"says hold: {reason}"):
        driver.give_control_to_policy(0.8)
    assert driver.asked == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("reason", ["start", "controlled stop: no chunk in time"])
def test_control_is_asked_for_where_nobody_meant_to_hold(driver: EpisodeDriver, reason: str) -> None:
    driver._on_control(ControlStatus(mode="hold", reason=reason))
    with pytest.raises(EvaluationError, match="no policy commands"):
        driver.give_control_to_policy(0.8)
    assert set(driver.asked) == {"policy"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("state", "outcome", "counts"),
    [
        ("ended", "success", True),
        ("ended", "failure", True),
        ("discarded", "failure", False),
        ("ended", "unknown", False),
    ],
)
def test_what_says_nothing_of_the_policy_does_not_count(
    driver: EpisodeDriver, monkeypatch: pytest.MonkeyPatch, state: str, outcome: str, counts: bool
) -> None:
    """A person throws a badly set up episode away, or the robot shuts down within one."""

    def call(*_: object) -> SimpleNamespace:
        driver._on_episode(EpisodeStatus(episode_id="e", state=state, outcome=outcome))
        return SimpleNamespace(episode_id="e")

    monkeypatch.setattr(driver, "call", call)
    result = driver.run_episode("sorting", 7, 5.0)
    assert (result is not None) == counts and (result is None or result.success == (outcome == "success"))
