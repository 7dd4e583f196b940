"""What the judging keys mean follows the running episode, whoever labels another one meanwhile."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest

pytest.importorskip("rclpy")

from rise_msgs.msg import EpisodeStatus
from rise_msgs.srv import EndEpisode
from rise_robot.nodes.operator_requests import OperatorRequests


def test_a_label_of_an_episode_before_does_not_take_the_running_ones_place() -> None:
    """Else "failure" would label the old one, and the arms would go on."""
    changes: list[tuple[str, bool]] = []
    requests = OperatorRequests(
        MagicMock(), "rollout", lambda _: None, lambda episode, runs: changes.append((episode, runs))
    )
    for episode, state in (("e_0", "ended"), ("e_1", "started"), ("e_0", "ended")):
        requests._on_status(EpisodeStatus(episode_id=episode, state=state))
    assert changes == [("e_0", False), ("e_1", True)]
    requests._end.call_async.reset_mock()  # type: ignore[attr-defined]
    requests.judge("failure")
    (request,), _ = requests._end.call_async.call_args  # type: ignore[attr-defined]
    assert isinstance(request, EndEpisode.Request) and request.outcome == "failure"
