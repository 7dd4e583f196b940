"""Resampling is causal: what is chosen for time t is the latest at or before t, whatever comes later."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from bag_helpers import make_episode
from hypothesis import given, settings
from hypothesis import strategies as st

from rise_robot.core.errors import BagError, ContractMismatchError
from rise_robot.core.resampling import (
    STAMP_TOLERANCE_NS,
    grid_times,
    history_times,
    latest_at_or_before,
    resample_episode,
    step_stamp,
)

stamps_strategy = st.lists(st.integers(0, 10**9), max_size=40).map(lambda values: np.array(sorted(values), np.int64))
times_strategy = st.lists(st.integers(-(10**6), 2 * 10**9), min_size=1, max_size=40).map(np.array)


@settings(deadline=None)
@given(stamps_strategy, times_strategy)
def test_the_choice_equals_brute_force(stamps, times):
    expected = [max((i for i, s in enumerate(stamps) if s <= t), default=-1) for t in times]
    np.testing.assert_array_equal(latest_at_or_before(stamps, times, tolerance_ns=0), expected)


@settings(deadline=None)
@given(stamps_strategy, st.integers(0, 10**9), st.lists(st.integers(1, 10**9), max_size=10))
def test_later_messages_never_change_the_choice(stamps, now, delays):
    seen = stamps[stamps <= now]
    future = np.array(sorted(now + 1 + delay for delay in delays), np.int64)
    both = np.concatenate([seen, future])
    times = np.array([now])
    assert latest_at_or_before(both, times, 0) == latest_at_or_before(seen, times, 0)


@settings(deadline=None)
@given(st.integers(0, 10**12), st.integers(1, 400), st.sampled_from([10.0, 15.0, 30.0, 33.0, 50.0]))
def test_the_grid_does_not_drift(start, steps, rate):
    times = grid_times(start, steps, rate)
    assert times.tolist() == [step_stamp(start, step, rate) for step in range(steps)]
    assert abs(int(times[-1]) - start - (steps - 1) * 1e9 / rate) <= 1


def test_an_exact_recording_comes_back_step_by_step():
    episode = make_episode(steps=31)
    resampled = resample_episode(episode, episode.contract)
    assert len(resampled) == 31 and resampled.late_start_s == 0
    np.testing.assert_array_equal(resampled.times, episode.command_stamps)
    np.testing.assert_array_equal(resampled.state, episode.joint_positions.astype(np.float32))
    np.testing.assert_array_equal(resampled.action, episode.commands.astype(np.float32))
    np.testing.assert_array_equal(resampled.frame_steps, np.arange(0, 31, 2))
    for index in resampled.frame_indices.values():
        np.testing.assert_array_equal(index, np.arange(16))
    assert [(step, event.name) for step, event in resampled.events] == [(15, "grasp")]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.012))
def test_jittered_streams_equal_brute_force_on_the_grid(seed, jitter):
    rng = np.random.default_rng(seed)
    episode = make_episode(steps=41)
    late = lambda stamps: np.sort(stamps + (rng.uniform(0, jitter, len(stamps)) * 1e9).astype(np.int64))  # noqa: E731
    early = lambda stamps: np.sort(stamps - (rng.uniform(0, jitter, len(stamps)) * 1e9).astype(np.int64))  # noqa: E731
    episode = dataclasses.replace(
        episode,
        joint_stamps=early(episode.joint_stamps),
        command_stamps=late(episode.command_stamps),
        images={name: (early(stamps), files) for name, (stamps, files) in episode.images.items()},
    )
    resampled = resample_episode(episode)
    for step, time in enumerate(resampled.times):
        known = np.flatnonzero(episode.joint_stamps <= time + STAMP_TOLERANCE_NS)
        np.testing.assert_array_equal(resampled.state[step], episode.joint_positions[known[-1]].astype(np.float32))
    for frame, step in enumerate(resampled.frame_steps):
        for name, index in resampled.frame_indices.items():
            known = np.flatnonzero(episode.images[name][0] <= resampled.times[step] + STAMP_TOLERANCE_NS)
            assert index[frame] == known[-1]
    np.testing.assert_array_equal(resampled.action, episode.commands[: len(resampled)].astype(np.float32))


def test_the_grid_waits_for_the_last_stream_to_begin():
    episode = make_episode(steps=61)
    stamps, files = episode.images["top"]
    shifted = stamps + 10_000_000
    resampled = resample_episode(dataclasses.replace(episode, images={**episode.images, "top": (shifted, files)}))
    assert resampled.times[0] == episode.command_stamps[1]
    assert resampled.late_start_s == pytest.approx(1 / 30, abs=1e-6)


@pytest.mark.parametrize(
    ("stream", "text"), [("joints", "joint_states is"), ("commands", "joint_command is"), ("top", "camera/top")]
)
def test_a_gap_beyond_the_contract_is_refused_and_named(stream, text):
    episode = make_episode(steps=61)
    keep = np.r_[0:20, 30:61]
    frames = np.r_[0:10, 16:31]
    stamps, files = episode.images["top"]
    changed = {
        "joints": {"joint_stamps": episode.joint_stamps[keep], "joint_positions": episode.joint_positions[keep]},
        "commands": {"command_stamps": episode.command_stamps[keep], "commands": episode.commands[keep]},
        "top": {"images": {**episode.images, "top": (stamps[frames], [files[index] for index in frames])}},
    }[stream]
    with pytest.raises(BagError, match=text):
        resample_episode(dataclasses.replace(episode, **changed))


def test_another_contract_is_refused():
    episode = make_episode()
    with pytest.raises(ContractMismatchError, match="control_rate_hz"):
        resample_episode(episode, dataclasses.replace(episode.contract, control_rate_hz=20.0))


def test_history_lies_on_frame_periods_and_ends_now():
    contract = make_episode(steps=5).contract
    assert history_times(10**9, 4, contract).tolist() == [800_000_000, 866_666_667, 933_333_333, 1_000_000_000]


def test_frames_are_counted_from_a_step_with_fresh_pictures():
    episode = make_episode(steps=41)
    period = round(1e9 / 30)
    images = {name: (stamps - period, files) for name, (stamps, files) in episode.images.items()}
    images = {
        name: (np.append(stamps, stamps[-1] + 2 * period), [*files, files[-1]])
        for name, (stamps, files) in images.items()
    }
    resampled = resample_episode(dataclasses.replace(episode, images=images))
    assert resampled.times[0] == episode.command_stamps[1]
    for name, index in resampled.frame_indices.items():
        age = resampled.times[resampled.frame_steps] - images[name][0][index]
        assert age.max() < 1_000_000
