"""The demo: its commands are understood, it continues when interrupted, summary and report hold what exists."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tyro

from rise_learning import (
    cli,
    evaluate,
    evaluate_world_model,
    report,
    self_improve,
    train_dynamics,
    train_policy,
    train_value,
)
from rise_learning.demo import BRICK, DemoConfig, demo_stages
from rise_learning.evaluation.counterfactuals import KINDS
from rise_learning.evaluation.ranking import ranking_report
from rise_learning.evaluation.stages import Lanes, Stage, StageError, StageLog, all_stages, run_stages
from rise_learning.evaluation.summary import summarize_run, table
from rise_learning.presets import PRESET_NAMES
from rise_robot import bringup, collect
from rise_robot.bag import check
from rise_robot.sim.scene import BRICK_HALF

TRAININGS = {module.__name__: module for module in (train_value, train_dynamics, train_policy, self_improve)}
WRITE = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text() + '.' if p.exists() else '.')"

FAIL = "import pathlib, sys; sys.exit(0 if pathlib.Path(sys.argv[1]).exists() else 3)"


def understand(module: str, words: list[str]) -> object:
    """Parse a command line as its module would; SystemExit where it does not understand."""
    if module in TRAININGS:
        return cli.parse(TRAININGS[module].Args.from_preset, PRESET_NAMES, words)
    parsers = {
        "rise_learning.evaluate": lambda: tyro.cli(evaluate.Args, args=words),
        "rise_learning.evaluate_world_model": lambda: tyro.cli(evaluate_world_model.Args, args=words),
        "rise_robot.collect": lambda: collect.parse(words),
        "rise_robot.bringup": lambda: bringup.parse(words),
        "rise_robot.bag.check": lambda: Path(words[0]),
    }
    return parsers[module]()


def test_every_command_is_understood(tmp_path: Path) -> None:
    seen = {}
    for stage in all_stages(demo_stages(tmp_path, DemoConfig(value_steps=7, rollouts=3))):
        for minus_m, module, *words in stage.commands:
            assert minus_m == "-m"
            seen[module] = understand(module, words)
    assert seen["rise_learning.train_value"].training.loop.steps == 7
    assert seen["rise_learning.train_policy"].init == tmp_path / "imitation"
    assert check.__name__ in seen


def test_bricks_are_drawn_as_large_as_they_are() -> None:
    np.testing.assert_allclose(BRICK, 2 * BRICK_HALF)


def test_no_evaluated_scene_was_trained_on() -> None:
    """Ranges of seeds are disjoint, with room for demonstrations that were discarded."""
    c = DemoConfig()
    sizes = [(c.demonstrations_seed, 10 * c.demonstrations), (c.live_seed, c.live_episodes)]
    sizes += [(c.rollouts_seed, c.rollouts), (c.corrupted_seed, c.corrupted)]
    sizes += [(c.explored_seed, c.explored), (c.corrections_seed, c.corrections)]
    sizes += [(c.evaluation_seed, c.evaluation_episodes), (c.states_seed, c.states)]
    ranges = sorted((seed, seed + count) for seed, count in sizes)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(ranges))


def stage(tmp_path: Path, name: str, *, resumes: bool = False, fails: bool = False, version: str = "") -> Stage:
    """Appends a dot to a file, then perhaps fails."""
    file = tmp_path / f"{name}.txt"
    commands = [("-S", "-c", WRITE, str(file), version)]
    if fails:
        commands.append(("-S", "-c", FAIL, str(tmp_path / "ok")))
    return Stage(name, tuple(commands), (file,), resumes)


def dots(tmp_path: Path, *names: str) -> list[int]:
    files = [tmp_path / f"{name}.txt" for name in names]
    return [len(file.read_text()) if file.exists() else 0 for file in files]


@pytest.mark.parametrize(("resumes", "written"), [(True, 2), (False, 1)])
def test_an_interrupted_run_continues_with_its_stage(tmp_path: Path, resumes: bool, written: int) -> None:
    """What is done is not done again; what was under way keeps its output only where it can resume from it."""
    stages = [
        stage(tmp_path, "a", resumes=True),
        stage(tmp_path, "b", resumes=resumes, fails=True),
        stage(tmp_path, "c", resumes=True),
    ]
    with pytest.raises(StageError, match="stage b: exit code 3"):
        run_stages(stages, StageLog(tmp_path / "log.json"), {})
    assert dots(tmp_path, "a", "b", "c") == [1, 1, 0]
    (tmp_path / "ok").touch()
    log = StageLog(tmp_path / "log.json")
    before = log.entries["b"]["seconds"]  # timings() rounds to a tenth
    run_stages(stages, log, {})
    assert dots(tmp_path, "a", "b", "c") == [1, written, 1]
    assert log.entries["b"]["seconds"] > before or not resumes
    run_stages(stages, StageLog(tmp_path / "log.json"), {})
    assert dots(tmp_path, "a", "b", "c") == [1, written, 1]


def test_another_command_or_fresh_runs_that_stage_and_all_after_it(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    run_stages([stage(tmp_path, name, resumes=True) for name in names], StageLog(tmp_path / "log.json"), {})
    (tmp_path / "a.txt").write_text("kept")
    changed = [stage(tmp_path, name, resumes=True, version="2" if name == "b" else "") for name in names]
    (tmp_path / "c.txt").write_text("stale")
    run_stages(changed, StageLog(tmp_path / "log.json"), {})
    assert dots(tmp_path, *names) == [4, 1, 1]
    run_stages(changed, StageLog(tmp_path / "log.json"), {}, fresh=True)
    assert dots(tmp_path, *names) == [1, 1, 1]


def test_another_contract_behind_the_same_path_runs_everything(tmp_path: Path) -> None:
    for digest, written in (("a", 1), ("a", 1), ("b", 1)):
        run_stages([stage(tmp_path, "collect")], StageLog(tmp_path / "log.json", digest), {})
        assert dots(tmp_path, "collect") == [written]
        (tmp_path / "collect.txt").write_text("." if digest == "a" else "kept")
    log = StageLog(tmp_path / "log.json", "b")
    assert log.is_done(stage(tmp_path, "collect")) and not StageLog(log.path, "a").is_done(stage(tmp_path, "collect"))


WAIT = """import pathlib, sys, time
print("waiting")
until = time.monotonic() + 60
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
    if time.monotonic() > until:
        sys.exit(4)
"""


def test_lanes_run_at_the_same_time_and_only_the_first_is_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each lane waits for the other; one after the other they would both give up."""
    a, b = stage(tmp_path, "a"), stage(tmp_path, "b")
    wait_for_b = Stage("wait_for_b", (("-S", "-c", WAIT, str(tmp_path / "b.txt")),), ())
    wait_for_a = Stage("wait_for_a", (("-S", "-c", WAIT, str(tmp_path / "a.txt")),), ())
    plan, log = [Lanes(((a, wait_for_b), (wait_for_a, b))), stage(tmp_path, "c")], StageLog(tmp_path / "log.json")
    run_stages(plan, log, {})
    assert dots(tmp_path, "a", "b", "c") == [1, 1, 1]
    assert [line for line in capfd.readouterr().out.splitlines() if line == "waiting"] == ["waiting"]
    assert (tmp_path / "logs" / "wait_for_a.log").read_text() == "waiting\n"
    lanes = [log.seconds(a) + log.seconds(wait_for_b), log.seconds(wait_for_a) + log.seconds(b)]
    assert log.wall_time(plan) == pytest.approx(max(lanes) + log.entries["c"]["seconds"])


def test_a_lane_that_fails_leaves_the_other_one_done(tmp_path: Path) -> None:
    def plan(version: str = "") -> list[Stage | Lanes]:
        lanes = Lanes(((stage(tmp_path, "a", version=version),), (stage(tmp_path, "b", fails=True),)))
        return [lanes, stage(tmp_path, "c")]

    with pytest.raises(StageError, match=r"stage b: exit code 3 .*b\.log says why; run the demo again"):
        run_stages(plan(), StageLog(tmp_path / "log.json"), {})
    assert dots(tmp_path, "a", "b", "c") == [1, 1, 0]
    (tmp_path / "ok").touch()
    run_stages(plan(), StageLog(tmp_path / "log.json"), {})
    assert dots(tmp_path, "a", "b", "c") == [1, 1, 1], "b begins anew, a is not run again"
    (tmp_path / "a.txt").write_text("kept")
    run_stages(plan("2"), StageLog(tmp_path / "log.json"), {})
    assert dots(tmp_path, "a", "b", "c") == [1, 1, 1], "what changes in one lane leaves the other one alone"
    assert (tmp_path / "a.txt").read_text() == ".", "and a began anew"


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def finished_run(run: Path) -> None:
    """The files that the commands of a demo leave, with made-up figures."""
    result = {"episodes": 10, "successes": 4, "success_rate": 0.4, "wilson95": [0.17, 0.69], "score_mean": 1.5}
    for name in ("imitation", "policy", "self_improved"):
        write(run / name / "evaluation.json", result)
        write(run / name / "metrics.jsonl", '{"step": 1, "loss": 1.0}\n{"step": 2, "loss": 0.5}\n')
    psnr = {"psnr": 20.0, "psnr_copy_last": 15.0, "psnr_shuffled_actions": 16.0, "codec_psnr": 24.0, "ssim": 0.7}
    write(run / "dynamics" / "held_out.json", psnr)
    write(run / "value" / "held_out.json", {"auc_success_vs_failure": 0.9})
    write(run / "policy" / "labels.json", {"bins_clipped": 1, **{f"bin_{i}": i for i in range(1, 11)}})
    write(
        run / "self_improved" / "statistics.json", {"bins": [3] * 10, "offline_share_realised": 0.6, "bins_clipped": 2}
    )
    rng = np.random.default_rng(0)
    true, imagined = rng.normal(size=(2, 20, len(KINDS)))
    differs = rng.random((20, len(KINDS) - 1)) < 0.5
    drawn = {"imagined": imagined.tolist(), "differs": differs.tolist()}
    write(run / "world_model.json", {**ranking_report(imagined, true, differs), "advantages": drawn, "clips": []})


def test_summary_has_the_promised_figures(tmp_path: Path) -> None:
    finished_run(tmp_path)
    summary = summarize_run(tmp_path, {"train_value": 3.0}, 120.0)
    assert set(summary["policies"]) == {"imitation", "warmup", "self_improved"}
    for found in summary["policies"].values():
        assert set(found) == {"episodes", "successes", "success_rate", "wilson95", "score_mean"}
    assert set(summary["dynamics"]) == {"psnr", "psnr_copy_last", "psnr_shuffled_actions", "codec_psnr"}
    assert summary["value"] == {"auc_success_vs_failure": 0.9}
    assert {"advantage_auc_imagined", "advantage_auc_true_frames", "share_that_differs"} <= set(summary["imagination"])
    assert (summary["offline_share_realised"], summary["bins_clipped"]) == (0.6, 2)
    assert "17.0% to 69.0%" in table(summary) and "time: 2.0 minutes" in table(summary)
    json.dumps(summary, allow_nan=False)


def test_report_needs_no_other_file(tmp_path: Path) -> None:
    finished_run(tmp_path)
    text = report.write_report(report.Args(tmp_path)).read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', text)
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    for title in ("Policies", "Figures", "Imagined and real", "Advantages", "Learning curves"):
        assert f"<h2>{title}</h2>" in text


def test_report_leaves_out_what_was_not_run(tmp_path: Path) -> None:
    """A run on recordings of a real robot has no simulator to be evaluated in."""
    write(tmp_path / "dynamics" / "held_out.json", {"psnr": 20.0, "psnr_copy_last": 15.0})
    text = report.write_report(report.Args(tmp_path)).read_text()
    assert "<h2>Figures</h2>" in text
    assert "<h2>Policies</h2>" not in text
    assert "not run" in table(summarize_run(tmp_path))
