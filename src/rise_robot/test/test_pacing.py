"""Deadlines on a simulated clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_robot.core.pacing import Lateness, Pacer, WallOffset, aligned_origin, timer_deadlines

MS = 1_000_000
PERIOD = 1 / 30


class Clock:
    """Time passes by waiting, and by `work`."""

    def __init__(self) -> None:
        self.now = 5_000_000_000

    def wait(self, seconds: float) -> bool:
        self.now += round(seconds * 1e9)
        return False


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_work_shorter_than_a_period_never_shifts_the_grid(work_ms: list[int]) -> None:
    clock = Clock()
    origin = clock.now
    pacer = Pacer(PERIOD, lambda: clock.now, clock.wait)
    for count, work in enumerate(work_ms, start=1):
        assert pacer.sleep()
        assert pacer.deadline_ns == origin + round(count * PERIOD * 1e9)
        assert abs(clock.now - pacer.deadline_ns) <= 1
        clock.now += work * MS
    assert pacer.lateness().overruns == 0


def test_a_short_delay_is_caught_up_and_measured() -> None:
    clock = Clock()
    pacer = Pacer(PERIOD, lambda: clock.now, clock.wait)
    pacer.sleep()
    clock.now += 50 * MS
    pacer.sleep()
    assert pacer.lateness().max_ms == pytest.approx(50 - 33.333, abs=0.01)
    pacer.sleep()
    assert clock.now == pacer.deadline_ns


def test_a_long_delay_skips_whole_periods_and_says_so() -> None:
    clock = Clock()
    origin = clock.now
    pacer = Pacer(PERIOD, lambda: clock.now, clock.wait)
    pacer.sleep()
    clock.now += 1_010 * MS
    pacer.sleep()
    assert pacer.lateness().overruns == 29
    assert (pacer.deadline_ns - origin) / (PERIOD * 1e9) == pytest.approx(31, abs=1e-6), "still on the grid"


def test_wait_that_is_interrupted_ends_the_loop() -> None:
    clock = Clock()
    assert not Pacer(PERIOD, lambda: clock.now, lambda _: True).sleep()


@given(st.integers(10**18, 2 * 10**18), st.integers(0, 10**15), st.floats(0, 0.99))
def test_aligned_processes_keep_their_order_within_a_period(wall: int, mono: int, phase: float) -> None:
    robot = aligned_origin(PERIOD, 0.0, wall, mono)
    controller = aligned_origin(PERIOD, phase, wall, mono)
    for origin in (robot, controller):
        assert -10 <= origin - mono <= PERIOD * 1e9 + 10
    apart = (controller - robot) / (PERIOD * 1e9)
    assert apart % 1 == pytest.approx(phase, abs=1e-4) or apart % 1 == pytest.approx(phase + 1, abs=1e-4)


def test_stamps_follow_the_wall_clock_in_steps_only() -> None:
    offset = [7 * MS]
    wall = WallOffset(lambda: offset[0], lambda: 0)
    assert wall.stamp(100) == 7 * MS + 100
    offset[0] += MS // 2
    assert wall.stamp(200) == 7 * MS + 200
    offset[0] += MS
    assert wall.stamp(300) == offset[0] + 300


def test_calls_of_a_timer_are_due_once_a_period_and_deadlines_that_passed_are_skipped() -> None:
    ms = 1_000_000
    called = np.array([10, 21, 55, 60, 70]) * ms  # the third is 25 ms late: 40 and 50 have passed, 60 has not
    np.testing.assert_allclose(timer_deadlines(called, 0, 0.010), np.array([10, 20, 30, 60, 70]) * ms)


def test_lateness_without_ticks_is_nothing() -> None:
    assert Lateness.of([], 3) == Lateness(0.0, 0.0, 0.0, 3)
    assert Lateness.of([1.0, 2.0, 3.0], 0) == Lateness(2.0, pytest.approx(2.98), 3.0, 0)
