"""Episode marks as topics and services, around rise_robot.core.episodes.EpisodeLedger.

Publishes: episode/status, episode/rubric. Serves: episode/start, episode/end, episode/label.
Requests are carried out by the node's own loop (`serve`), between two periods, because they reset the robot.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from rise_msgs.msg import EpisodeStatus, RubricEvent
from rise_msgs.srv import EndEpisode, LabelEpisode, StartEpisode
from rise_robot.core.episodes import EpisodeLedger, EpisodeRecord
from rise_robot.core.errors import EpisodeError, SimulationError
from rise_robot.core.rubric import RubricEventRecord
from rise_robot.nodes import conversions, qos

TIMEOUT_S = 5.0


class EpisodeServices:
    """Args:
    node: owner of the topics and services.
    ledger: the book of episodes.
    start, end: what the node does for a request, in its own loop; they return the new record.
    take: is given every status before it is published, and may refuse it (EpisodeError).
    """

    def __init__(
        self,
        node: Node,
        ledger: EpisodeLedger,
        start: Callable[[StartEpisode.Request], EpisodeRecord],
        end: Callable[[EndEpisode.Request], EpisodeRecord],
        take: Callable[[EpisodeStatus], None] = lambda _: None,
    ) -> None:
        self._node, self._ledger, self._start, self._end, self._take = node, ledger, start, end, take
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._status = node.create_publisher(EpisodeStatus, "episode/status", qos.LATCHED)
        self._rubric = node.create_publisher(RubricEvent, "episode/rubric", qos.EVENT)
        node.create_service(StartEpisode, "episode/start", self._on_start)
        node.create_service(EndEpisode, "episode/end", self._on_end)
        node.create_service(LabelEpisode, "episode/label", self._on_label)

    def serve(self) -> None:
        """Carry out what was asked for since the last call; from the node's own loop."""
        while not self._jobs.empty():
            self._jobs.get_nowait()()

    def publish(self, record: EpisodeRecord, stamp_ns: int) -> None:
        """Raises EpisodeError where `take` refuses it."""
        status = EpisodeStatus(
            header=conversions.to_header(stamp_ns),
            episode_id=record.episode_id,
            task=record.task,
            instruction=record.instruction,
            kind=record.kind,
            state=record.state,
            outcome=record.outcome,
            score=float(record.score),
            seed=record.seed,
        )
        self._take(status)
        self._status.publish(status)

    def publish_event(self, event: RubricEventRecord, episode_id: str) -> None:
        self._rubric.publish(conversions.rubric_message(event, episode_id))

    def _on_start(self, request: StartEpisode.Request, response: StartEpisode.Response) -> StartEpisode.Response:
        record = self._carry_out(lambda: self._start(request), response)
        response.episode_id = record.episode_id if record else ""
        return response

    def _on_end(self, request: EndEpisode.Request, response: EndEpisode.Response) -> EndEpisode.Response:
        record = self._carry_out(lambda: self._end(request), response)
        response.outcome = record.outcome if record else ""
        return response

    def _on_label(self, request: LabelEpisode.Request, response: LabelEpisode.Response) -> LabelEpisode.Response:
        def label() -> EpisodeRecord:
            record = self._ledger.label(
                request.episode_id,
                outcome=request.outcome,
                kind=request.kind,
                score=request.score,
                discard=request.discard,
            )
            self.publish(record, self._node.get_clock().now().nanoseconds)
            return record

        self._carry_out(label, response)
        return response

    def _carry_out(self, job: Callable[[], EpisodeRecord], response: Any) -> EpisodeRecord | None:
        """Let the loop do it and wait; failures become the response's message."""
        done, record = threading.Event(), list[EpisodeRecord]()

        def work() -> None:
            try:
                record.append(job())
            except (EpisodeError, SimulationError) as error:
                response.message = str(error)
            finally:
                done.set()

        self._jobs.put(work)
        if not done.wait(TIMEOUT_S):
            response.message = f"the simulated robot did not answer within {TIMEOUT_S:g} s"
        response.success = bool(record)
        return record[0] if record else None
