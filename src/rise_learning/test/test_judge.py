"""People as judges: blinded order, the rubric as a form, records like those of the simulator, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from synthetic import save_untrained

from rise_learning.errors import ConfigError
from rise_learning.evaluation.form import FORMS, form_of
from rise_learning.evaluation.results import EpisodeResult
from rise_learning.evaluation.trials import JUDGED, TrialBook, blinded
from rise_learning.judge import Args, judge


def answers(*lines: str) -> Iterator[str]:
    return iter(lines)


@pytest.mark.parametrize(
    ("task", "lines", "success", "score", "events"),
    [
        ("box_closing", ["3"], False, 7.5, ("cup_loaded", "side_flaps_folded", "rear_flap_folded")),
        ("backpack_packing", ["five", "5", "2"], False, 5.0, ("clothes_inserted", "contents_settled")),
        ("brick_sorting", ["4", "3", "2", "1"], False, 6.0, ("grasp",) * 3 + ("place_matched",) * 2 + ("place_wrong",)),
        ("brick_sorting", ["5", "5", "5", "0"], True, 10.0, ("grasp",) * 5 + ("place_matched",) * 5 + ("cleared",)),
    ],
)  # fmt: skip
def test_the_form_scores_as_table_vii(task: str, lines: list[str], success: bool, score: float, events: tuple) -> None:
    given = answers(*lines)
    found = form_of(task).fill(lambda _: next(given), 7, 31.5)
    assert found == EpisodeResult(7, success, score, 31.5, events)
    assert next(given, None) is None, "every answer was asked for"


def test_every_simulated_task_has_a_form_with_its_own_events() -> None:
    from rise_robot.sim.tasks import TASKS

    assert set(FORMS) == set(TASKS)
    with pytest.raises(ConfigError, match="no form for task 'cooking'; there are: backpack_packing"):
        form_of("cooking")


def test_every_block_holds_every_policy_once_and_letters_hide_the_order() -> None:
    key, trials = blinded(["x", "y", "z"], 20, seed=0)
    labels = [trial.label for trial in trials]
    assert sorted(key.values()) == ["x", "y", "z"] and [trial.number for trial in trials] == list(range(1, 61))
    assert all(sorted(labels[block : block + 3]) == ["A", "B", "C"] for block in range(0, 60, 3))
    assert len({tuple(labels[block : block + 3]) for block in range(0, 60, 3)}) > 3, "the order changes"
    assert len({blinded(["x", "y", "z"], 1, seed)[0]["A"] for seed in range(20)}) == 3, "A can be any of them"


def session(tmp_path: Path, trials: int = 2) -> Args:
    runs = tuple(save_untrained(tmp_path / name / "imitation", name) for name in ("first", "second"))
    return Args(tuple(run.parent for run in runs), tmp_path / "judged", "box_closing", trials=trials)


def test_an_interrupted_session_goes_on_and_ends_with_the_records_of_evaluate(tmp_path: Path) -> None:
    args = session(tmp_path)
    first = answers("", "", "4", "", "", "", "2", "r", "1", "")

    def until_power_cut(_: str) -> str:
        try:
            return next(first)
        except StopIteration:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt):
        judge(args, until_power_cut)
    with (args.out / JUDGED).open("a") as stream:
        stream.write('{"trial": 3, "la')  # the power went while a line was written
    asked: list[str] = []
    rest = answers(*["", "", "0", ""] * 2)
    judge(args, lambda question: [asked.append(question), next(rest)][1])
    assert "Trial 3 of 4" in asked[0] and sum("Trial" in question for question in asked) == 2
    rows = [json.loads(line) for line in (args.out / JUDGED).read_text().splitlines()]
    assert [(row["trial"], row["score"]) for row in rows] == [(1, 10.0), (2, 2.5), (3, 0.0), (4, 0.0)]
    summaries = [json.loads((args.out / f"{label}.json").read_text()) for label in "AB"]
    assert sorted(summary["successes"] for summary in summaries) == [0, 1]
    assert {"policy", "task", "episodes", "success_rate", "wilson95", "score_mean", "results"} <= set(summaries[0])


def test_other_trials_in_the_same_directory_are_refused(tmp_path: Path) -> None:
    TrialBook(tmp_path, "box_closing", ["x", "y"], 20, 0)
    with pytest.raises(ConfigError, match="holds the trials of .* choose another --out"):
        TrialBook(tmp_path, "box_closing", ["x", "y"], 10, 0)
    with pytest.raises(ConfigError, match="different policies"):
        TrialBook(tmp_path / "other", "box_closing", ["x", "x"], 20, 0)
