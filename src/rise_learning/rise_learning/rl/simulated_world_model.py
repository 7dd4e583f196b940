"""The perfect dynamics: chunks are executed in the simulator, from recorded states that it is brought back to.

Beside the learned world model this tells what the loop loses to imagination: physics with its own progress for a value
is the ceiling, physics with the learned value model loses what the value model does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import policy_frames
from rise_learning.errors import DataError
from rise_learning.rl.imagination import Imagined, Starts, Travelled
from rise_learning.worker_pool import worker_pool
from rise_robot.core.contract import Contract
from rise_robot.sim.robot import RobotState, SimulatedRobot
from rise_robot.sim.tasks import TaskSetting

STRAYED = 0.02
"""rad or m between replayed and recorded joints from which an episode is not what the simulator makes of it."""

Judge = Callable[[Tensor, Tensor, list[str]], Imagined]
"""Of true frames, as `LearnedWorldModel.judge`."""
KEPT_STATES = 4096
"""States of the simulator that are kept to go on from, a few kB each."""


@dataclass(frozen=True)
class Replay:
    """Chunks from one recorded state, or from where commands have led from there.

    Attributes:
        states: (t + 1, A) recorded joint positions from the first one to the state.
        commands: (t, A) the commands between them.
        events: names of the rubric events that were recorded until then.
        chunks: (N, K, A).
        played: (T, A) commands since the recorded state.
        known: the simulator after them, if it was there before.
        seen_frames: how many of the last frames of a chunk are wanted.
    """

    episode_id: str
    seed: int
    states: np.ndarray
    commands: np.ndarray
    events: tuple[str, ...]
    chunks: np.ndarray
    played: np.ndarray
    known: RobotState | None
    seen_frames: int


@dataclass(frozen=True)
class Outcome:
    """Of N chunks: the simulator before them and after each; its progress now and (N, F) what it rises by; of those
    frames that are wanted (N, F', V, h, w, 3) what the cameras see, and (N, F', A) joint positions."""

    before: RobotState
    after: list[RobotState]
    progress: float
    rise: np.ndarray
    frames: np.ndarray
    states: np.ndarray


@dataclass(frozen=True)
class ReplayWorker:
    """Replays and branches in a worker process, which keeps one simulator."""

    contract: Contract
    task: TaskSetting
    image_size: tuple[int, int]

    def __call__(self, replay: Replay) -> Outcome:
        robot = _robot(self.contract, self.task)
        before = replay.known or self._restore(robot, replay)
        robot.set_state(before)
        now = robot.progress()
        after: list[RobotState] = []
        progress: list[list[float]] = []
        sights: list[list[tuple[np.ndarray, np.ndarray]]] = []
        for chunk in replay.chunks:
            robot.set_state(before)
            rise, seen = play(robot, chunk, self._look, replay.seen_frames)
            after.append(robot.get_state())
            progress.append(rise)
            sights.append(seen)
        rises = np.array(progress, np.float32) - np.float32(now)
        frames = np.array([[frame for frame, _ in seen] for seen in sights], np.uint8)
        states = np.array([[joints for _, joints in seen] for seen in sights], np.float32)
        return Outcome(before, after, now, rises, frames, states)

    def _restore(self, robot: SimulatedRobot, replay: Replay) -> RobotState:
        """Raises DataError where the recording is not an episode of this simulator and task."""
        robot.reset(replay.seed)
        off = np.abs(robot.joint_positions - replay.states[0]).max()
        events: list[str] = []
        for command in replay.commands:
            if robot.outcome == "running":
                events += [event.name for event in robot.step(command).events]
        off = max(off, np.abs(robot.joint_positions - replay.states[-1]).max())
        strayed = f"joints end {off:.3f} from where they were recorded" if off > STRAYED else ""
        if tuple(events[: len(replay.events)]) != replay.events:
            strayed = strayed or f"the rubric says {events}, recorded was {list(replay.events)}"
        if strayed:
            raise DataError(
                f"episode {replay.episode_id} of {self.task.name} cannot be replayed: {strayed}. The simulator as "
                "world model needs bags of rise_robot.collect or evaluate --record, and their --level and --bricks"
            )
        for command in replay.played:
            if robot.outcome == "running":
                robot.step(command)
        return robot.get_state()

    def _look(self, robot: SimulatedRobot) -> tuple[np.ndarray, np.ndarray]:
        """(V, h, w, 3) uint8 and (A,)."""
        return policy_frames(robot.render(), self.contract, self.image_size), robot.joint_positions.copy()


Seen = TypeVar("Seen")


def play(
    robot: SimulatedRobot,
    chunk: np.ndarray,
    look: Callable[[SimulatedRobot], Seen] | None = None,
    seen_frames: int | None = None,
) -> tuple[list[float], list[Seen]]:
    """Execute a chunk (K, A) from the robot's present state.

    Returns:
        The simulator's progress after every frame, and what `look` saw there (nothing without it), at the last
        `seen_frames` only where that is given. Progress and sight at the end of an episode stand for what follows it.
    """
    progress: list[float] = []
    seen: list[Seen] = []
    stride = robot.contract.actions_per_frame
    unseen = 0 if seen_frames is None else len(chunk) // stride - seen_frames
    for step, command in enumerate(chunk, start=1):
        running = robot.outcome == "running"
        if running:
            robot.step(command)
        if step % stride == 0:
            progress.append(robot.progress())
            if look is not None and len(progress) > unseen:
                seen.append(look(robot) if running or not seen else seen[-1])
    return progress, seen


Way = tuple[int, bytes]
"""A recorded frame and the commands that were played from there."""


def _ways(origin: np.ndarray, played: np.ndarray) -> list[Way]:
    """Of B states: (B,) recorded frames, (B, T, A) commands."""
    return [(int(g), commands.tobytes()) for g, commands in zip(origin, played, strict=True)]


class SimulatedWorldModel:
    """Drop-in for `LearnedWorldModel` in the loop; it goes on from recorded states and from what was played there.

    Args:
        episodes: the offline data; a start's `origin` counts its frames.
        judge: of true frames; None for the simulator's own progress.
        judged_frames: the last ones of a chunk, which the judge is shown, 0 for all: pictures are what takes time.
    """

    def __init__(
        self,
        episodes: EpisodeSet,
        task: TaskSetting,
        judge: Judge | None = None,
        *,
        judged_frames: int = 0,
        workers: int = 2,
    ) -> None:
        self.episodes, self.judge, self.judged_frames = episodes, judge, judged_frames
        size = episodes.frames.shape[2], episodes.frames.shape[3]
        self._work = ReplayWorker(episodes.contract, task, size)
        self._pool = worker_pool(workers) if workers > 1 else None
        self._known: dict[Way, RobotState] = {}

    def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
        """Raises DataError for starts that were not recorded, or cannot be replayed."""
        whole = chunks.shape[1] // self.episodes.contract.actions_per_frame
        found = self._replay(starts, chunks, 0 if self.judge is None else self.judged_frames or whole)
        frames = torch.from_numpy(np.concatenate([outcome.frames for outcome in found]))
        if self.judge is not None:
            return self.judge(starts.context[:, -1], frames, starts.instructions)
        now = np.concatenate([np.full(len(outcome.rise), outcome.progress, np.float32) for outcome in found])
        return Imagined(frames, np.concatenate([outcome.rise for outcome in found]), value_now=now)

    def advance(self, starts: Starts, commands: Tensor, frames: Tensor) -> Travelled:
        """What the simulator's cameras and encoders see on the way; `frames` are not needed."""
        found = self.follow(starts, commands, seen_frames=commands.shape[1] // self.episodes.contract.actions_per_frame)
        return Travelled(
            torch.from_numpy(np.concatenate([outcome.frames for outcome in found])),
            torch.from_numpy(np.concatenate([outcome.states for outcome in found])),
        )

    def follow(self, starts: Starts, commands: Tensor, *, seen_frames: int = 0) -> list[Outcome]:
        """Where (B, T, A) commands lead from B states, to go on from there later."""
        found = self._replay(starts, commands, seen_frames)
        assert starts.origin is not None
        played = commands if starts.played is None else torch.cat([starts.played, commands], 1)
        reached = [state for outcome in found for state in outcome.after]
        for way, state in zip(_ways(starts.origin, played.numpy()), reached, strict=True):
            self._keep(way, state)
        return found

    def _replay(self, starts: Starts, chunks: Tensor, seen_frames: int) -> list[Outcome]:
        """Candidates of one state lie side by side, and are one job of a worker."""
        if starts.origin is None:
            raise DataError("the simulator cannot go on from imagined frames; use --training.chunks-per-start 1")
        played = (chunks[:, :0] if starts.played is None else starts.played).numpy()
        ways = _ways(starts.origin, played)
        other = np.diff(starts.origin, prepend=-1) != 0
        other[1:] |= (played[1:] != played[:-1]).any((1, 2))
        groups = np.flatnonzero(other)
        parts = np.split(chunks.numpy(), groups[1:])
        jobs = [
            self._job(ways[first], part, played[first], seen_frames) for first, part in zip(groups, parts, strict=True)
        ]
        found = list(self._pool.map(self._work, jobs) if self._pool else map(self._work, jobs))
        for first, outcome in zip(groups, found, strict=True):
            self._keep(ways[first], outcome.before)
        return found

    def _keep(self, way: Way, state: RobotState) -> None:
        """Remember where a way leads, and forget the oldest."""
        self._known.pop(way, None)
        self._known[way] = state
        if len(self._known) > KEPT_STATES:
            del self._known[next(iter(self._known))]

    def _job(self, way: Way, chunks: np.ndarray, played: np.ndarray, seen_frames: int) -> Replay:
        g = way[0]
        number = int(self.episodes.episode_of[g])
        episode = self.episodes.episodes[number]
        frame, last = g - int(self.episodes.first_frame[number]), len(episode.frames) - 1
        step = frame * self.episodes.contract.actions_per_frame
        events = tuple(name for at, name, _ in episode.events if at <= frame and at < last)  # the last has later ones
        return Replay(
            episode.episode_id, episode.seed, episode.state[: step + 1], episode.action[:step], events, chunks,
            played, self._known.get(way), seen_frames,
        )  # fmt: skip


def recorded_task(episodes: EpisodeSet) -> str:
    """The task of all episodes; DataError where there are several."""
    tasks = sorted({episode.task for episode in episodes.episodes})
    if len(tasks) > 1:
        raise DataError(f"the simulator is the world model of one task at a time, but the bags hold {tasks}")
    return tasks[0]


_ROBOTS: dict[tuple, SimulatedRobot] = {}
"""Of a worker process."""


def _robot(contract: Contract, task: TaskSetting) -> SimulatedRobot:
    key = (contract.digest, task)
    if key not in _ROBOTS:
        _ROBOTS[key] = SimulatedRobot(contract, task.name, task.config)
    return _ROBOTS[key]
