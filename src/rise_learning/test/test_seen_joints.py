"""Grippers that frames show better than commands tell: read, chosen, and only believed where they surely differ."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic import make_episode, small_contract

from rise_learning.data.episode_set import EpisodeArrays, EpisodeSet
from rise_learning.data.seen_joints import SeenJoints
from rise_robot.core.tracking import JointTracking

GRIPPER, WIDTH = 6, 0.036
CONTRACT = small_contract()
FOLLOWS = JointTracking((0.5,) * CONTRACT.action_dim)


def pictured(positions: np.ndarray) -> np.ndarray:
    """(N,) openings -> (N, V, 16, 16, 3) uint8 that are the brighter in one corner the wider it is open."""
    frames = np.full((len(positions), len(CONTRACT.cameras), 16, 16, 3), 90, np.uint8)
    frames[:, 1, :8, :8] = (40 + 2400 * positions).astype(np.uint8)[:, None, None, None]
    return frames


def episode(seed: int) -> EpisodeArrays:
    """Joints that follow, and a gripper that is stopped by what it closes on in every second episode."""
    base, rng = make_episode(CONTRACT, seed, frames=30), np.random.default_rng(seed)
    action = base.action.copy()
    action[:, GRIPPER] = np.where(np.arange(len(action)) < 20, 0.07, 0.02)
    state = np.concatenate([action[:1], FOLLOWS.follow(action[0], action)[:-1]]).astype(np.float32)
    if seed % 4 < 2:
        state[:, GRIPPER] = np.maximum(state[:, GRIPPER], WIDTH)
    frames = pictured(state[:: CONTRACT.actions_per_frame, GRIPPER])
    frames = np.clip(frames + rng.normal(0, 3, (len(frames), 1, 1, 1, 1)), 0, 255).astype(np.uint8)
    return dataclasses.replace(base, frames=frames, state=state, action=action)


@pytest.fixture(scope="module")
def seen() -> SeenJoints:
    return SeenJoints.fit(EpisodeSet(CONTRACT, [episode(seed) for seed in range(12)]), FOLLOWS)


def test_only_what_frames_show_better_is_read(seen: SeenJoints) -> None:
    assert seen.numbers == (GRIPPER,), "arms follow their commands, and no picture here shows them"


def test_what_is_held_is_seen_and_what_is_missed_is_told(seen: SeenJoints) -> None:
    told = np.full((2, 1, CONTRACT.action_dim), 0.3)
    told[..., GRIPPER] = 0.02
    corrected = seen.correct(told, pictured(np.array([WIDTH, 0.02]))[:, None])
    assert corrected[0, 0, GRIPPER] == pytest.approx(WIDTH, abs=0.003)
    assert corrected[1, 0, GRIPPER] == 0.02, "within the error of the reading commands are believed"
    others = np.arange(CONTRACT.action_dim) != GRIPPER
    assert (corrected[..., others] == 0.3).all() and (told[..., GRIPPER] == 0.02).all()


def test_readings_stay_within_what_was_recorded(seen: SeenJoints) -> None:
    told = np.full((1, 1, CONTRACT.action_dim), 0.02)
    bright = np.full((1, 1, len(CONTRACT.cameras), 16, 16, 3), 255, np.uint8)
    assert seen.correct(told, bright)[0, 0, GRIPPER] <= 0.0701


def test_it_travels_as_text(seen: SeenJoints) -> None:
    again, told = SeenJoints.from_json(seen.to_json()), np.full((1, 1, CONTRACT.action_dim), 0.02)
    frames = pictured(np.array([WIDTH]))[None]
    np.testing.assert_allclose(again.correct(told, frames), seen.correct(told, frames), atol=1e-5)
    nothing = SeenJoints.from_json(SeenJoints.none().to_json())
    assert nothing.numbers == () and nothing.correct(told, frames) is told


def test_without_whole_chunks_nothing_is_read() -> None:
    short = EpisodeSet(CONTRACT, [make_episode(CONTRACT, seed, frames=4) for seed in range(4)])
    assert SeenJoints.fit(short, FOLLOWS).numbers == ()
