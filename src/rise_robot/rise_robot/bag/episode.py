"""One recorded episode as plain arrays: what a bag becomes before learning touches it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.episodes import KINDS, OUTCOMES, Kind, Outcome
from rise_robot.core.errors import BagError
from rise_robot.core.rubric import RubricEventRecord

CameraStream = tuple[np.ndarray, list[bytes]]
"""Stamps (n,) int64 ns, rising, and the n JPEG files taken at them."""


@dataclass(frozen=True)
class Episode:
    """Streams of one episode, each on its own stamps (int64 ns, rising); `core.resampling` puts them on the grid.

    Attributes:
        kind: who commanded: demonstration (expert or teleoperation), rollout (policy), dagger (policy, corrected).
        outcome: unknown when nobody decided.
        score: final score of the rubric; NaN when there is none.
        seed: of the simulated scene; -1 when unknown.
        joint_stamps: (N,); joint_positions: (N, A) float64, rad; grippers in m.
        command_stamps: (M,); commands: (M, A) float64, `joint_command`: what was really sent.
        clean_commands: (M, A) float64, what the commander wanted before exploration noise was added; equals
            `commands` where no noise was added.
        human: (M,) bool, True where a person was in command (control/status mode "human").
        images: per camera the stamps (n,) and n JPEG files.
        start_ns, end_ns: stamps of the episode's marks.
        joint_velocities, joint_efforts: (N, A) float64, rad/s and N m (grippers m/s, N); None when not recorded.
        intrinsics: per camera (3, 3) float64, pixels; empty when no camera_info was recorded.
        source: the bag that it came from, for messages.
    """

    episode_id: str
    task: str
    instruction: str
    kind: Kind
    outcome: Outcome
    score: float
    seed: int
    contract: Contract
    joint_stamps: np.ndarray
    joint_positions: np.ndarray
    command_stamps: np.ndarray
    commands: np.ndarray
    clean_commands: np.ndarray
    human: np.ndarray
    images: dict[str, CameraStream]
    events: list[RubricEventRecord] = field(default_factory=list)
    start_ns: int = 0
    end_ns: int = 0
    source: str = ""
    joint_velocities: np.ndarray | None = None
    joint_efforts: np.ndarray | None = None
    intrinsics: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) * 1e-9

    @property
    def label(self) -> str:
        """How messages call it: "episode e1 of bags/demos"."""
        return f"episode {self.episode_id} of {self.source}" if self.source else f"episode {self.episode_id}"


def as_kind(text: str) -> Kind:
    """`text` checked; raises BagError naming the valid kinds."""
    if text not in KINDS:
        raise BagError(f"episode kind {text!r} is not one of {', '.join(KINDS)}")
    return text


def as_outcome(text: str) -> Outcome:
    """`text` checked; raises BagError naming the valid outcomes."""
    if text not in OUTCOMES:
        raise BagError(f"episode outcome {text!r} is not one of {', '.join(OUTCOMES)}")
    return text
