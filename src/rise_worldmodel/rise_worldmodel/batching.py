"""Task-centric batching (Sec. III-A): each batch from few tasks, with many samples of each under different actions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rise_worldmodel.errors import ConfigError


class TaskCentricSampler:
    """Batches of sample indices; batch i is a function of (seed, i), so training resumes where it stopped.

    Args:
        tasks: task of every sample.
        batch_size: samples of a batch, or of the part of it that is drawn at once.
        tasks_per_batch: tasks of a batch, in (nearly) equal shares; 0 mixes all samples (no task-centric batching).
    """

    def __init__(self, tasks: Sequence[str], batch_size: int, *, tasks_per_batch: int = 2, seed: int = 0) -> None:
        if not len(tasks) or batch_size < max(1, tasks_per_batch):
            raise ConfigError(f"{len(tasks)} samples, batch_size {batch_size}, tasks_per_batch {tasks_per_batch}")
        self.batch_size, self.tasks_per_batch, self.seed = batch_size, tasks_per_batch, seed
        names = np.asarray(tasks)
        self._members = [np.flatnonzero(names == name) for name in np.unique(names)]
        self._count = len(names)

    def batch(self, step: int, part: int = 0) -> np.ndarray:
        """(batch_size,) int64 indices of batch `step`; tasks are drawn in proportion to their samples.

        Args:
            part: of a batch that processes and micro-batches share: all have the same tasks, each its own samples.
        """
        rng = np.random.default_rng((self.seed, step))
        own = rng if part == 0 else np.random.default_rng((self.seed, step, part))
        if not self.tasks_per_batch:
            return own.integers(self._count, size=self.batch_size)
        share = np.array([len(members) for members in self._members]) / self._count
        number = min(self.tasks_per_batch, len(self._members))
        chosen = rng.choice(len(self._members), size=number, replace=False, p=share)
        sizes = [self.batch_size // number + (k < self.batch_size % number) for k in range(number)]
        return np.concatenate([own.choice(self._members[task], size) for task, size in zip(chosen, sizes, strict=True)])
