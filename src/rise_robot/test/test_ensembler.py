"""The chunk ensembler against an independent brute force, and each of its edges by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_robot.core.ensembler import ChunkEnsembler, blend_weights
from rise_robot.core.errors import ChunkRefusedError, CommandError
from rise_robot.core.plan_buffer import PlanBuffer, StepGrid


def chunk(first: int, size: int, value: float) -> np.ndarray:
    """(size, 1) actions that encode chunk and step."""
    return (value + 0.01 * (first + np.arange(size)))[:, None]


class BruteForce:
    """The definition word by word, on a dictionary step -> action, one chunk and one step at a time."""

    def __init__(self) -> None:
        self.plan: dict[int, float] = {}
        self.newest: int | None = None

    def add(self, first: int, actions: np.ndarray, next_step: int) -> bool:
        new = {first + j: float(a[0]) for j, a in enumerate(actions) if first + j >= next_step}
        if not new or first > next_step or (self.newest is not None and first <= self.newest):
            return False
        old = {t: a for t, a in self.plan.items() if t >= next_step}
        both = sorted(set(old) & set(new))
        merged = {}
        for t, a_new in new.items():
            if t not in both:
                merged[t] = a_new
                continue
            w = 0.5 if len(both) == 1 else (t - both[0]) / (both[-1] - both[0])
            merged[t] = (1 - w) * old[t] + w * a_new
        self.plan, self.newest = merged, first
        return True


def test_a_short_blend_hands_over_early() -> None:
    assert blend_weights(6, 3) == pytest.approx([0, 1 / 3, 2 / 3, 1, 1, 1])
    assert blend_weights(3, 8) == pytest.approx([0, 0.5, 1]), "never later than the overlap ends"
    ours = ChunkEnsembler(1, blend_steps=2)
    ours.add(0, np.zeros((10, 1)), 0)
    ours.add(4, np.ones((10, 1)), 4)
    assert [float(ours.action(t)[0]) for t in range(4, 8)] == [0.0, 0.5, 1.0, 1.0]  # type: ignore[index]


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(-2, 14), st.integers(1, 12), st.floats(-3, 3)), min_size=1, max_size=15
    )
)
def test_equals_brute_force(arrivals: list[tuple[int, int, int, float]]) -> None:
    """Any order of arrivals: (periods passed, age of the observation in steps, chunk size, content)."""
    ours, truth, now = ChunkEnsembler(1), BruteForce(), 0
    for passed, age, size, value in arrivals:
        for step in range(now, now + passed):
            expected, got = truth.plan.get(step), ours.action(step)
            assert (got is None) == (expected is None)
            assert got is None or got[0] == pytest.approx(expected, abs=1e-12)
        now += passed
        actions = chunk(now - age, size, value)
        accepted = truth.add(now - age, actions, now)
        if accepted:
            ours.add(now - age, actions, now)
        else:
            with pytest.raises(ChunkRefusedError):
                ours.add(now - age, actions, now)
    for step in range(now, now + 30):
        got = ours.action(step)
        assert (got is None) == (step not in truth.plan)
        assert got is None or got[0] == pytest.approx(truth.plan[step], abs=1e-12)


@given(st.integers(2, 49), st.integers(0, 20), st.floats(-2, 2), st.floats(-2, 2))
def test_blend_stays_between_the_two_plans(later: int, delay: int, a: float, b: float) -> None:
    ours = ChunkEnsembler(1)
    ours.add(0, np.full((50, 1), a), 0)
    next_step = min(later + delay, 49)
    ours.add(later, np.full((50, 1), b), next_step)
    values = [ours.action(t) for t in range(next_step, later + 50)]
    assert all(v is not None and min(a, b) - 1e-12 <= v[0] <= max(a, b) + 1e-12 for v in values)


@given(later=st.integers(1, 70), delay=st.integers(0, 12), blend=st.integers(0, 20))
def test_a_preview_is_what_is_then_executed(later: int, delay: int, blend: int) -> None:
    ours, last = ChunkEnsembler(1, blend), np.zeros(1)
    ours.add(0, chunk(0, 50, 1.0), 0)
    for step in range(later):
        planned = ours.action(step)
        last = last if planned is None else planned
    new = chunk(later, 50, 2.0)
    foreseen = ours.preview(later, new, later + delay, last)
    executed = []
    for step in range(later, later + 50):
        if step == later + delay:
            ours.add(later, new, step)
        planned = ours.action(step)
        last = last if planned is None else planned
        executed.append(last)
    np.testing.assert_allclose(foreseen, executed)


def test_executed_steps_are_dropped_and_weights_are_linear() -> None:
    ours = ChunkEnsembler(1)
    ours.add(0, np.zeros((6, 1)), 0)
    merge = ours.add(1, np.ones((8, 1)), 2)  # old covers 2..5, new 2..8
    assert (merge.dropped, merge.overlap, merge.appended) == (1, 4, 3)
    assert [float(ours.action(t)[0]) for t in range(2, 9)] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1, 1, 1])
    assert ours.action(9) is None


def test_one_step_of_overlap_is_shared_equally() -> None:
    ours = ChunkEnsembler(1)
    ours.add(0, np.zeros((4, 1)), 0)
    assert ours.add(2, np.ones((4, 1)), 3).overlap == 1
    assert [float(ours.action(t)[0]) for t in range(3, 6)] == [0.5, 1.0, 1.0]
    assert blend_weights(2).tolist() == [0.0, 1.0]


def test_seam_says_what_blending_saved() -> None:
    ensembler = ChunkEnsembler(2)
    assert ensembler.add(0, np.zeros((10, 2)), 0).seam is None, "there was nothing to be joined to"
    later = np.tile([0.5, -0.2], (10, 1)) + 0.1 * np.arange(10)[:, None]
    seam = ensembler.add(1, later, 3).seam
    assert seam is not None
    assert seam.position == 0.0 and seam.naive_position == pytest.approx(0.7), "the third step of the chunk"
    # Seven steps overlap: the first way is a sixth of the second new action, 0.8, where it would have been 0.1.
    assert seam.velocity == pytest.approx(0.8 / 6) and seam.naive_velocity == pytest.approx(0.1)
    assert ensembler.add(12, later, 20).seam is None, "nothing overlaps"


def test_chunk_after_a_gap_is_taken_as_it_is() -> None:
    ours = ChunkEnsembler(1)
    ours.add(0, np.zeros((3, 1)), 0)
    assert ours.action(5) is None
    assert ours.add(4, np.ones((3, 1)), 6).overlap == 0
    assert ours.action(6) == pytest.approx([1.0])


def test_plan_ends_where_the_newest_chunk_ends() -> None:
    ours = ChunkEnsembler(1)
    ours.add(0, np.zeros((10, 1)), 0)
    ours.add(1, np.ones((3, 1)), 1)
    assert [float(ours.action(t)[0]) for t in (1, 2, 3)] == [0.0, 0.5, 1.0]
    assert ours.action(4) is None


@pytest.mark.parametrize(
    ("first", "next_step", "reason"),
    [(5, 6, "duplicate"), (4, 6, "out_of_order"), (6, 20, "late"), (9, 7, "future")],
)
def test_refusals_leave_the_plan_alone(first: int, next_step: int, reason: str) -> None:
    ours = ChunkEnsembler(1)
    ours.add(5, chunk(5, 10, 1.0), 5)
    with pytest.raises(ChunkRefusedError) as refusal:
        ours.add(first, chunk(first, 10, 2.0), next_step)
    assert refusal.value.reason == reason
    assert [float(ours.action(t)[0]) for t in range(5, 15)] == pytest.approx(chunk(5, 10, 1.0)[:, 0].tolist())


def test_the_callers_array_is_neither_kept_nor_changed() -> None:
    ours, mine = ChunkEnsembler(1), np.ones((4, 1))
    ours.add(0, np.zeros((4, 1)), 0)
    ours.add(1, mine, 1)
    assert (mine == 1).all()
    mine[:] = 9
    assert ours.action(4) == pytest.approx([1.0])


def test_plan_of_wrong_width_is_refused() -> None:
    with pytest.raises(CommandError, match=r"\(N, 2\)"):
        PlanBuffer(2).replace(0, np.zeros((3, 1)))


@given(st.integers(0, 100_000), st.floats(-0.24, 0.74))
def test_grid_tolerates_early_and_late_ticks(step: int, jitter: float) -> None:
    """Thirtieths of a second are not whole nanoseconds; hours later a tick still finds its own step."""
    grid = StepGrid(1_700_000_000_000_000_000, 1e9 / 30)
    assert grid.current(grid.time_ns(step) + round(jitter * 1e9 / 30)) == step
    assert grid.nearest(grid.time_ns(step) + round((jitter - 0.25) * 1e9 / 30)) == step
