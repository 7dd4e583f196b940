"""The motion of the check stays small and within the limits; its figures are those of the streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.reference_motion import ReferenceMotion, StreamFigures, delay_s

CONTRACT = Contract.load(config_path("contract.yaml"))
LOWER, UPPER = CONTRACT.joint_array("lower"), CONTRACT.joint_array("upper")
REVOLUTE = np.array([joint.unit == "rad" for joint in CONTRACT.joints])


@given(st.lists(st.floats(0, 1), min_size=14, max_size=14), st.floats(0.01, 0.3))
def test_it_starts_at_rest_swings_by_the_amplitude_and_keeps_the_limits(place: list[float], amplitude: float) -> None:
    start = LOWER + np.array(place) * (UPPER - LOWER)
    times = np.linspace(-0.5, 8.0, 400)
    way = ReferenceMotion(CONTRACT, start, amplitude, period_s=4.0).positions(times)  # (N, A)
    np.testing.assert_allclose(way[times <= 0.0], np.tile(start, (int((times <= 0).sum()), 1)))
    assert (way >= LOWER - 1e-9).all() and (way <= UPPER + 1e-9).all()
    np.testing.assert_allclose(np.ptp(way, axis=0)[REVOLUTE], amplitude, rtol=1e-3)
    assert np.abs(np.diff(way, axis=0) / np.diff(times)[:, None])[:, REVOLUTE].max() <= amplitude * np.pi / 4 + 1e-9


def test_figures_of_a_stream_with_one_message_lost() -> None:
    stamps = np.delete(np.arange(0, 1_000_000_000, 5_000_000), 100)
    figures = StreamFigures.of(stamps, stamps + 2_000_000)
    assert (figures.messages, figures.gap_p50_ms, figures.gap_max_ms) == (199, 5.0, 10.0)
    assert (figures.age_p50_ms, figures.age_p99_ms) == (2.0, 2.0)
    assert figures.rate_hz == pytest.approx(199.0, abs=0.1)
    with pytest.raises(ValueError, match="1 messages are too few"):
        StreamFigures.of([1], [2])


def test_the_delay_of_joints_behind_their_commands_is_found() -> None:
    command_ns = (np.arange(150) * 1e9 / 30).astype(np.int64)
    state_ns = (np.arange(1000) * 5_000_000).astype(np.int64)
    commands = np.sin(command_ns * 1e-9)[:, None] * np.ones(14)
    states = np.sin(state_ns * 1e-9 - 0.06)[:, None] * np.ones(14)
    delay, error = delay_s(command_ns, commands, state_ns, states)
    assert delay == pytest.approx(0.06, abs=0.0026) and error < 1e-3
