"""The best policy of a run is kept, whatever comes after it; a collapse ends the run; a resume repeats no trial."""

import dataclasses
from pathlib import Path

import pytest

from rise_learning.errors import ConfigError
from rise_learning.evaluation.results import EpisodeResult
from rise_learning.training import best_policy
from rise_learning.training.best_policy import BestPolicy, Collapsed, PeriodicEvaluation
from rise_robot.sim.tasks import TaskSetting

EVERY_TEN = PeriodicEvaluation(every=10, episodes=8, seed=5, collapse=0.5)


def run(tmp_path: Path, monkeypatch, successes: dict[int, int], until: int, settings=EVERY_TEN) -> list[int]:
    """Steps that were evaluated, when the policy of a step succeeds as often as told."""
    evaluated, now = [], 0

    def evaluate(candidate: Path, deployment, task, seeds, *, workers) -> list[EpisodeResult]:
        step = int((candidate / "step").read_text())
        evaluated.append(step)
        return [EpisodeResult(seed, number < successes[step], 1.0, 2.0, ()) for number, seed in enumerate(seeds)]

    def save(directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        (directory / "step").write_text(str(now))

    monkeypatch.setattr(best_policy, "evaluate_policy", evaluate)
    best = BestPolicy(tmp_path, save, TaskSetting.of("brick_sorting"), settings)
    for now in range(until + 1):
        best(now)
    return evaluated


def test_the_best_is_kept_and_not_the_last(tmp_path, monkeypatch):
    assert run(tmp_path, monkeypatch, {0: 3, 10: 6, 20: 6, 30: 4}, until=30) == [0, 10, 20, 30]
    assert (tmp_path / "best" / "step").read_text() == "10"


def test_a_resumed_run_goes_on_from_the_trials_it_had(tmp_path, monkeypatch):
    run(tmp_path, monkeypatch, {0: 3, 10: 6}, until=15)
    assert run(tmp_path, monkeypatch, {20: 5}, until=20) == [20]
    assert (tmp_path / "best" / "step").read_text() == "10"


def test_a_collapse_ends_the_run_and_again_after_a_resume(tmp_path, monkeypatch):
    for _ in range(2):
        with pytest.raises(Collapsed, match=r"2 of 8 episodes succeed after 20 steps, 5 did at first.*learning-rate"):
            run(tmp_path, monkeypatch, {0: 5, 10: 7, 20: 2, 30: 8}, until=30)
    assert (tmp_path / "best" / "step").read_text() == "10"


def test_nothing_is_evaluated_when_not_asked_for(tmp_path, monkeypatch):
    assert run(tmp_path, monkeypatch, {}, 100, PeriodicEvaluation()) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", [{"episodes": 16}, {"seed": 6}])
def test_trials_of_other_scenes_are_not_compared_with(tmp_path, monkeypatch, other):
    run(tmp_path, monkeypatch, {0: 3, 10: 6}, until=15)
    with pytest.raises(ConfigError, match="8 episodes from seed 5 on, asked for are .* keep --evaluation.episodes"):
        run(tmp_path, monkeypatch, {20: 5}, until=20, settings=dataclasses.replace(EVERY_TEN, **other))
