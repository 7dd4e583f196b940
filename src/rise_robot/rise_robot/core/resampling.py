"""Causal resampling: what was known at time t, and nothing later. One rule for bags and for the live policy.

A grid step k lies at t_k = t_0 + k / control_rate. The observation of t_k is the latest message stamped at or before
t_k; it is never interpolated towards a later one, because the deployed policy could not do that either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError
from rise_robot.core.rubric import RubricEventRecord

if TYPE_CHECKING:
    from rise_robot.bag.episode import Episode

STAMP_TOLERANCE_NS = 1_000
"""Stamps of one instant computed by two programs may differ by rounding; a microsecond carries no information."""
MAX_LATE_START_S = 1.0
"""Streams that begin later than this after the episode's first command make the episode unusable."""
MAX_COMMAND_AGE_PERIODS = 3.0
"""Commands may miss at most this many periods before the episode is refused."""


def step_stamp(start_ns: int, step: int, rate_hz: float) -> int:
    """Stamp in ns of grid step `step` after `start_ns`, rounded to the nearest ns (never accumulated)."""
    return start_ns + round(step * 1e9 / rate_hz)


def grid_times(start_ns: int, steps: int, rate_hz: float) -> np.ndarray:
    """(steps,) int64 ns: `step_stamp` of steps 0..steps-1."""
    return start_ns + np.rint(np.arange(steps) * 1e9 / rate_hz).astype(np.int64)


def latest_at_or_before(stamps: np.ndarray, times: np.ndarray, tolerance_ns: int = STAMP_TOLERANCE_NS) -> np.ndarray:
    """(T,) int64: for each time the index of the last stamp not later than it, -1 where there is none.

    Args:
        stamps: (N,) int64 ns, not falling.
        times: (T,) int64 ns, any order.
        tolerance_ns: a stamp this much later still counts as "at" the time.
    """
    return np.searchsorted(stamps, np.asarray(times) + tolerance_ns, side="right") - 1


def history_times(now_ns: int, frames: int, contract: Contract) -> np.ndarray:
    """(frames,) int64 ns: the frame period's times up to and including now, oldest first."""
    period = contract.actions_per_frame / contract.control_rate_hz
    return now_ns - np.rint(np.arange(frames - 1, -1, -1) * period * 1e9).astype(np.int64)


@dataclass(frozen=True)
class ResampledEpisode:
    """An episode on the control grid.

    Attributes:
        times: (T,) int64 ns.
        state: (T, A) float32, joint positions known at each step.
        action: (T, A) float32, the command sent at each step: follows `state[k]`.
        clean_action: (T, A) float32, the same before exploration noise.
        human: (T,) bool.
        frame_steps: (F,) int64, every actions_per_frame-th step.
        frame_indices: per camera (F,) int64 into the camera's list of JPEG files.
        events: (step, event) with the first step at or after the event, clipped to the last step.
        late_start_s: how long after its first command the grid begins, because a stream had not begun.
    """

    times: np.ndarray
    state: np.ndarray
    action: np.ndarray
    clean_action: np.ndarray
    human: np.ndarray
    frame_steps: np.ndarray
    frame_indices: dict[str, np.ndarray]
    events: tuple[tuple[int, RubricEventRecord], ...]
    late_start_s: float

    def __len__(self) -> int:
        return len(self.times)


def resample_episode(episode: Episode, contract: Contract | None = None) -> ResampledEpisode:
    """Put an episode on its control grid.

    The grid begins at the first command for which every stream has begun and pictures are fresh (within one frame
    period), and ends with the last command. The action
    of step k is the command sent nearest to t_k (commands jitter around their period, and a command is not an
    observation); everything else is the latest at or before t_k.

    Args:
        contract: what the caller expects; must equal the episode's own. None takes the episode's.

    Raises:
        ContractMismatchError: the contracts differ.
        BagError: a stream is missing, begins too late, or is older than the contract allows at some step.
    """
    if contract is not None:
        contract.require_same(episode.contract, ours="the caller", theirs=episode.label)
    contract = episode.contract
    start, late = _grid_start(episode)
    period = 1e9 / contract.control_rate_hz
    steps = round((int(episode.command_stamps[-1]) - start) / period) + 1
    times = grid_times(start, steps, contract.control_rate_hz)
    sent = latest_at_or_before(episode.command_stamps, times, int(period / 2))
    _refuse_stale(
        episode, "joint_command", episode.command_stamps, sent, times, MAX_COMMAND_AGE_PERIODS * period * 1e-9
    )
    joints = latest_at_or_before(episode.joint_stamps, times)
    _refuse_stale(episode, "joint_states", episode.joint_stamps, joints, times, contract.joint_state_max_age_s)
    frame_steps = np.arange(0, steps, contract.actions_per_frame)
    return ResampledEpisode(
        times=times,
        state=episode.joint_positions[joints].astype(np.float32),
        action=episode.commands[sent].astype(np.float32),
        clean_action=episode.clean_commands[sent].astype(np.float32),
        human=episode.human[sent],
        frame_steps=frame_steps,
        frame_indices=_frame_indices(episode, times[frame_steps]),
        events=tuple((_step_of(times, event.stamp), event) for event in episode.events),
        late_start_s=late,
    )


def _grid_start(episode: Episode) -> tuple[int, float]:
    """Stamp of the first command for which every stream has begun, and the s since the very first command."""
    streams = {"joint_states": episode.joint_stamps, "joint_command": episode.command_stamps}
    for camera in episode.contract.cameras:
        streams[camera.compressed_topic] = episode.images.get(camera.name, (np.empty(0, np.int64), []))[0]
    missing = [name for name, stamps in streams.items() if not len(stamps)]
    if missing:
        raise BagError(
            f"{episode.label} has no messages of {', '.join(missing)}; record every topic of contract "
            f"{episode.contract.name} from the start of the episode to its end"
        )
    last_begun = max(streams, key=lambda name: int(streams[name][0]))
    begun_ns, first_command_ns = int(streams[last_begun][0]), int(episode.command_stamps[0])
    usable = episode.command_stamps[episode.command_stamps >= begun_ns - STAMP_TOLERANCE_NS]
    late = (begun_ns - first_command_ns) * 1e-9
    if late > MAX_LATE_START_S or not len(usable):
        raise BagError(
            f"{episode.label}: {last_begun} begins {late:.2f} s after the first joint_command, at most "
            f"{MAX_LATE_START_S} s is accepted; start the stream before the episode"
        )
    start = _freshest(usable[: episode.contract.actions_per_frame], episode)
    return start, (start - first_command_ns) * 1e-9


def _freshest(candidates: np.ndarray, episode: Episode) -> int:
    """The candidate (ns) whose oldest picture is youngest, to a ms; the first of equals. Cameras are slower than
    commands: frames are counted from a step that just got new pictures, as the live policy counts them."""
    ages = np.zeros((len(episode.images), len(candidates)))
    for row, (stamps, _) in zip(ages, episode.images.values(), strict=True):
        row[:] = (candidates - stamps[latest_at_or_before(stamps, candidates)]) * 1e-6
    return int(candidates[np.argmin(np.rint(ages.max(axis=0)))])


def _frame_indices(episode: Episode, times: np.ndarray) -> dict[str, np.ndarray]:
    indices = {}
    for camera in episode.contract.cameras:
        stamps = episode.images[camera.name][0]
        indices[camera.name] = latest_at_or_before(stamps, times)
        _refuse_stale(episode, camera.compressed_topic, stamps, indices[camera.name], times, camera.max_age_s)
    return indices


def _refuse_stale(
    episode: Episode, topic: str, stamps: np.ndarray, index: np.ndarray, times: np.ndarray, max_age_s: float
) -> None:
    age = (times - stamps[index]) * 1e-9
    worst = int(np.argmax(age))
    if age[worst] > max_age_s:
        raise BagError(
            f"{episode.label}: {topic} is {age[worst]:.3f} s old at {(times[worst] - times[0]) * 1e-9:.2f} s, at most"
            f" {max_age_s:.3f} s is allowed; {int((age > max_age_s).sum())} of {len(age)} steps are stale"
        )


def _step_of(times: np.ndarray, stamp: int) -> int:
    return min(int(np.searchsorted(times, stamp - STAMP_TOLERANCE_NS)), len(times) - 1)
