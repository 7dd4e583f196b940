"""Policies compared scene by scene: differences, their errors, and evaluations that are of something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rise_learning.compare import Args, compare, lines
from rise_learning.errors import ConfigError, DataError
from rise_learning.evaluation.summary import summarize_run, table

FIRST, AFTER = [1, 0, 0, 1, 0, 0], [1, 1, 1, 0, 1, 0]
"""Three scenes won and one lost."""


def evaluated(policy: Path, successes: list[int], seed: int = 7, name: str = "evaluation.json", **changes: Any) -> None:
    policy.mkdir(parents=True, exist_ok=True)
    results = [{"seed": seed + number, "success": bool(each)} for number, each in enumerate(successes)]
    found = {"task": "sorting", "config": {"bricks": 2}, "deployment": {"candidates": 1}, "results": results, **changes}
    (policy / name).write_text(json.dumps(found))


def run_of(directory: Path, first: list[int] = FIRST, after: list[int] = AFTER) -> Path:
    evaluated(directory / "imitation", first)
    evaluated(directory / "self_improved", after)
    return directory


def compared(*runs: Path, **changes: Any) -> dict[str, Any]:
    return compare(Args(runs=runs, policies=("imitation", "self_improved"), **changes))


def test_a_difference_is_paired_by_scene(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    gain = compared(run, out=tmp_path / "compared.json")["with"]["imitation"]["run"]
    differences = np.array([0, 1, 1, -1, 1, 0])
    assert gain == {
        "gain": pytest.approx(2 / 6),
        "error": pytest.approx(differences.std(ddof=1) / 6**0.5),
        "won": 3,
        "lost": 1,
    }
    assert json.loads((tmp_path / "compared.json").read_text())["policies"]["run"]["self_improved"]["successes"] == 4


def test_scenes_are_told_by_seed_and_not_by_their_place(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    evaluated(run / "self_improved", AFTER[:3])
    evaluated(run / "self_improved", AFTER[3:], seed=10, name="evaluation_more.json")
    assert compared(run)["with"]["imitation"]["run"]["won"] == 3
    results = json.loads((run / "imitation/evaluation.json").read_text())["results"][::-1]
    evaluated(run / "imitation", [], results=results)
    assert compared(run)["with"]["imitation"]["run"]["won"] == 3


def test_training_seeds_that_agree_on_the_same_scenes_do_not_make_it_surer(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name) for name in ("seed_0", "seed_1")]
    found = compared(*runs)
    one, both = (found["with"]["imitation"][name] for name in ("seed_0", "all"))
    assert both["error"] == pytest.approx(one["error"]) and both["won"] == 2 * one["won"]
    assert found["policies"]["all"]["imitation"]["episodes"] == 12


def test_what_is_printed_says_rates_and_differences(tmp_path: Path) -> None:
    run = run_of(tmp_path / "seed_0")
    evaluated(run / "self_improved", AFTER, deployment={"candidates": 8})
    text = "\n".join(lines(compared(run)))
    assert "2 of 6, 33% (10% to 70%)" in text and "+33.3 +- 33.3  (3 won, 1 lost)" in text
    assert "note: deployed with candidates 8 (seed_0/self_improved), otherwise 1" in text


def test_a_run_that_was_deployed_otherwise_is_noted_wherever_it_is(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name) for name in ("seed_0", "seed_1")]
    evaluated(runs[1] / "self_improved", AFTER, deployment={"candidates": 1, "guidance": 3.0})
    text = "\n".join(lines(compared(*runs)))
    assert "note: deployed with guidance 3.0 (seed_1/self_improved), otherwise None" in text


def test_evaluations_on_other_scenes_are_not_compared(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", after=AFTER[:4])
    with pytest.raises(ConfigError, match=r"2 scenes .*one has 6, the other 4.*--seed"):
        compared(run)
    evaluated(run / "self_improved", AFTER, config={"bricks": 1})
    with pytest.raises(ConfigError, match="12 scenes"):
        compared(run)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"seed": 12}, "1 scenes of .*evaluation_b.json are in another evaluation"),
        ({"seed": 99, "deployment": {"candidates": 8}}, "deployed otherwise"),
    ],
)
def test_evaluations_of_one_policy_that_do_not_belong_together_are_refused(
    tmp_path: Path, changes: dict[str, Any], refusal: str
) -> None:
    run = run_of(tmp_path / "run")
    evaluated(run / "imitation", AFTER, name="evaluation_b.json", **changes)
    with pytest.raises(DataError, match=refusal):
        compared(run)


@pytest.mark.parametrize("content", ["", "[]", '{"task": "sorting"}'])
def test_a_file_of_something_else_is_named(tmp_path: Path, content: str) -> None:
    run = run_of(tmp_path / "run")
    (run / "imitation/evaluation.json").write_text(content)
    with pytest.raises(DataError, match="imitation/evaluation.json is no evaluation"):
        compared(run)


def test_what_there_is_nothing_of_is_named(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"holds no evaluation_9\*.json; `evaluate --run"):
        compared(run, files="evaluation_9*.json")
    with pytest.raises(ConfigError, match="two policies"):
        compare(Args(runs=(run,), policies=("imitation",)))
    with pytest.raises(ConfigError, match="names of their own"):
        compared(run, run)


def test_the_summary_of_a_run_compares_its_policies_where_it_can(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    assert summarize_run(run)["gains"] == {}, "no warm-up"
    evaluated(run / "policy", AFTER)
    summary = summarize_run(run)
    assert "self_improved over imitation, points of success scene by scene: +33.3 +- 33.3  (3 won, 1 lost)" in table(
        summary
    )
    assert summary["gains"]["warmup"]["gain"] == 0
    for otherwise in ({"successes": AFTER[:4]}, {"successes": AFTER, "deployment": {"candidates": 8}}):
        evaluated(run / "policy", **otherwise)
        assert summarize_run(run)["gains"] == {}, "other scenes, or deployed otherwise"
