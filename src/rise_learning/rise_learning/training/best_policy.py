"""Evaluation while a policy improves: the best one so far is kept, and a collapse ends the run.

Losses go on falling after success has stopped rising; what a policy is worth is told by episodes alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rise_learning.errors import ConfigError, RiseLearningError
from rise_learning.evaluation.agent import DeploymentConfig
from rise_learning.evaluation.results import sentence, summarize
from rise_learning.evaluation.runner import evaluate_policy
from rise_learning.training import distributed
from rise_learning.training.run_directory import write_json
from rise_robot.sim.tasks import TaskSetting

logger = logging.getLogger(__name__)
TRIALS = "trials.json"


class Collapsed(RiseLearningError):
    """The policy succeeds far less often than when the run began."""


@dataclass(frozen=True)
class PeriodicEvaluation:
    """How the policy is evaluated while it trains."""

    every: int = 0
    """Training steps between two evaluations; the policy that is kept is the best of them. 0: the last one is kept."""
    episodes: int = 100
    seed: int = 9_000_000
    """First seed; keep it away from those of bags and of final evaluations."""
    collapse: float = 0.5
    """The run ends where successes fall below this share of those at its beginning."""


@dataclass(frozen=True)
class Trial:
    """One evaluation: `step` training steps were done."""

    step: int
    successes: int
    episodes: int
    score_mean: float
    first_seed: int = PeriodicEvaluation.seed


class BestPolicy:
    """Called before every training step, and once after the last; trials survive a resume.

    Args:
        directory: gets `trials.json` and the policy of the best trial, in `best/`.
        save: writes the present policy into a directory.
        task: in the simulator.
        workers: processes.
    """

    def __init__(
        self,
        directory: Path,
        save: Callable[[Path], None],
        task: TaskSetting,
        settings: PeriodicEvaluation,
        workers: int = 2,
    ) -> None:
        self.directory, self.save, self.task, self.settings, self.workers = directory, save, task, settings, workers
        self._file = directory / TRIALS
        asked = settings.episodes, settings.seed
        for trial in self.trials if settings.every else ():
            if (trial.episodes, trial.first_seed) != asked:
                raise ConfigError(
                    f"{self._file} is of {trial.episodes} episodes from seed {trial.first_seed} on, asked for are "
                    f"{asked[0]} from {asked[1]} on; trials of one run are compared, so keep --evaluation.episodes and "
                    "--evaluation.seed as they were"
                )

    @property
    def trials(self) -> list[Trial]:
        """All so far."""
        return [Trial(**raw) for raw in json.loads(self._file.read_text())] if self._file.exists() else []

    @property
    def best(self) -> Path:
        """Directory of the best policy so far."""
        return self.directory / "best"

    def __call__(self, step: int) -> None:
        """Evaluate where it is due; of several processes the first one does.

        Raises:
            Collapsed: the policy is not worth training on.
        """
        if not self.settings.every or step % self.settings.every:
            return
        with distributed.main_first():
            if distributed.is_main() and step not in [trial.step for trial in self.trials]:
                self._judge(step)
        self._stop_on_collapse(*self.trials)

    def _judge(self, step: int) -> None:
        candidate = self.directory / "candidate"
        self.save(candidate)
        seeds = list(range(self.settings.seed, self.settings.seed + self.settings.episodes))
        summary = summarize(evaluate_policy(candidate, DeploymentConfig(), self.task, seeds, workers=self.workers))
        logger.info(sentence(f"step {step}", summary))
        trials = self.trials
        trial = Trial(step, summary["successes"], summary["episodes"], summary["score_mean"], seeds[0])
        if trial.successes > max((earlier.successes for earlier in trials), default=-1):
            self.save(self.best)
        write_json(self._file, [*trials, trial])

    def _stop_on_collapse(self, first: Trial, *others: Trial) -> None:
        last = others[-1] if others else first
        if last.successes < self.settings.collapse * first.successes:
            raise Collapsed(
                f"{last.successes} of {last.episodes} episodes succeed after {last.step} steps, {first.successes} did "
                "at first; lower --training.loop.learning-rate or raise --training.offline-share. The best policy so "
                f"far is kept in {self.best}"
            )
