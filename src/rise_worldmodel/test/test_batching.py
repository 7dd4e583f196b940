"""Task-centric batches: few tasks, fair shares, a function of seed and step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_worldmodel.batching import TaskCentricSampler
from rise_worldmodel.errors import ConfigError

TASKS = ["sort"] * 60 + ["pack"] * 30 + ["close"] * 10


@given(step=st.integers(0, 10_000), per_batch=st.integers(1, 5))
def test_a_batch_holds_few_tasks_in_equal_shares(step: int, per_batch: int) -> None:
    batch = TaskCentricSampler(TASKS, 13, tasks_per_batch=per_batch).batch(step)
    names, counts = np.unique(np.asarray(TASKS)[batch], return_counts=True)
    assert len(batch) == 13 and len(names) == min(per_batch, 3)
    assert counts.max() - counts.min() <= 1


def test_batches_repeat_after_a_restart_and_differ_by_step_and_seed() -> None:
    first, again, other = (TaskCentricSampler(TASKS, 8, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.batch(5), again.batch(5))
    assert not np.array_equal(first.batch(5), first.batch(6))
    assert not np.array_equal(first.batch(5), other.batch(5))


def test_processes_share_the_tasks_of_a_batch_and_draw_their_own_samples() -> None:
    """Each with tasks of its own would make a batch of everything again: 16 tasks on 8 GPUs."""
    tasks = [f"task {number % 20}" for number in range(4000)]
    sampler = TaskCentricSampler(tasks, 8, seed=1)
    parts = [sampler.batch(5, part) for part in range(8)]
    assert len(np.unique(np.asarray(tasks)[np.concatenate(parts)])) == 2
    assert len(np.unique(np.concatenate(parts))) > 48, "each draws others"


def test_without_task_centric_batching_all_samples_are_alike() -> None:
    sampler = TaskCentricSampler(TASKS, 50, tasks_per_batch=0)
    drawn = np.concatenate([sampler.batch(step) for step in range(100)])
    share = np.mean(np.asarray(TASKS)[drawn] == "close")
    assert abs(share - 0.1) < 0.02


def test_no_samples_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 samples"):
        TaskCentricSampler([], 8)
