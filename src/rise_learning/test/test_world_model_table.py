"""The command of the tables: what each row trains, that rows are kept, and that all are measured alike."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from synthetic import SIZE
from test_ablations import EPISODES

from rise_learning import train_dynamics, train_value, world_model_table
from rise_learning.errors import ConfigError, DataError
from rise_learning.evaluation.table_rows import TableData, as_table, chosen_rows, plan_row
from rise_learning.model_choices import PatchModel
from rise_learning.presets import get_preset
from rise_learning.training.loop import LoopConfig

BAGS, MANY = (Path("bags/bricks"),), (Path("bags/boxes"), Path("bags/random"))


def flags(name: str, data: TableData) -> list[tuple[str, ...]]:
    return [flags for _, flags in plan_row(name, data, Path("out")).commands]


def test_every_row_but_one_is_pretrained_as_it_is_trained() -> None:
    data = TableData(BAGS, MANY, steps=5, pretrain_steps=7)
    for name, own in (
        ("rise", ()),
        ("no_task_centric", ("--no-task-centric",)),
        ("cosmos", ("--architecture", "cosmos")),
    ):
        first, then = flags(name, data)
        assert first[:3] == ("--bags", "bags/boxes", "bags/random") and "7" in first and then[1] == "bags/bricks"
        assert first[-2:] == ("--base", "none") and then[-2:] == ("--base", f"out/{name}/pretraining/dynamics")
        for line in (first, then):
            assert line[-2 - len(own) : -2] == own
    (alone,) = flags("no_pretrain", data)
    assert alone[-1] == "--no-pretrain" and "5" in alone


def test_without_bags_for_it_no_row_is_pretrained_by_the_shipped_base_either() -> None:
    (alone,) = flags("rise", TableData(BAGS))
    assert alone[-2:] == ("--base", "none")
    assert "no_pretrain" not in chosen_rows((), pretrained=False)
    assert chosen_rows(("value", "rise"), pretrained=False) == ("rise", "value")
    for rows, message in (
        (("no_pretrain",), "needs --pretrain-bags"),
        (("dreamer",), "no row dreamer; there are: rise"),
    ):
        with pytest.raises(ConfigError, match=message):
            chosen_rows(rows, pretrained=False)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up episodes of small frames in place of bags, and a small `tiny`."""
    tiny, loop = get_preset("tiny"), LoopConfig(steps=2, batch_size=6)
    model = PatchModel(heads=1, layers=1, channels=16)
    preset = dataclasses.replace(
        tiny,
        image_size=SIZE,
        value=dataclasses.replace(tiny.value, loop=loop),
        dynamics=dataclasses.replace(tiny.dynamics, loop=loop, model=model, reported_chunks=2),
    )
    for command in (train_dynamics, train_value, world_model_table):
        monkeypatch.setattr(command, "load_bags", lambda paths, size: EPISODES)
        monkeypatch.setattr(command, "get_preset", lambda name: preset)
    monkeypatch.setattr(world_model_table, "require_apart", lambda *_: None)


def test_a_table_is_trained_measured_and_kept(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ("no_pretrain", "no_control_maps", "genie_envisioner", "value_no_td")
    args = world_model_table.Args(BAGS, BAGS, tmp_path, MANY, rows, chunks=3, threads=1)
    table = world_model_table.make_table(dataclasses.replace(args, rows=rows[1:]))
    assert capsys.readouterr().out.count("$ python -m rise_learning.train_dynamics --bags bags/boxes") == 2
    assert json.loads((tmp_path / "table.json").read_text()) == table
    ours, peer = (table["dynamics"][name]["report"] for name in ("no_control_maps", "genie_envisioner"))
    assert ours["psnr_copy_last"] == peer["psnr_copy_last"], "the same held-out chunks"
    assert ours["psnr"] != peer["psnr"] and 0 <= table["value"]["value_no_td"]["report"]["auc_success_vs_failure"] <= 1
    assert table["dynamics"]["no_control_maps"]["training"]["from_base"]
    models = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("model.safetensors")}
    assert world_model_table.make_table(dataclasses.replace(args, rows=rows[1:])) == table
    assert {file: file.stat().st_mtime_ns for file in models} == models, "finished rows are kept"
    world_model_table.show(table)
    shown = capsys.readouterr().out
    assert "$ python" not in shown and "genie_envisioner" in shown and "value_no_td" in shown
    with pytest.raises(ConfigError, match="now asked for is"):
        world_model_table.make_table(dataclasses.replace(args, rows=rows[1:], chunks=2))
    with pytest.raises(ConfigError, match="now asked for is"):  # finished rows have no LPIPS
        world_model_table.make_table(dataclasses.replace(args, rows=rows[1:], lpips_weights=tmp_path))
    monkeypatch.setattr(world_model_table, "digest_of", lambda _: "other episodes in the same directory")
    with pytest.raises(ConfigError, match="other episodes"):
        world_model_table.make_table(dataclasses.replace(args, rows=rows[1:]))


def test_nothing_is_trained_where_held_out_episodes_are_among_the_bags(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shared(paths: list[Path], *_: object) -> None:
        raise DataError(f"of {len(paths)} bags")

    monkeypatch.setattr(world_model_table, "require_apart", shared)
    with pytest.raises(DataError, match="of 3 bags"):
        world_model_table.make_table(world_model_table.Args(BAGS, BAGS, tmp_path / "out", MANY))
    assert not (tmp_path / "out").exists()


def test_an_interrupted_row_continues(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = world_model_table.Args(BAGS, BAGS, tmp_path, rows=("value",), threads=1)
    with monkeypatch.context() as patch:
        patch.setattr(world_model_table, "value_row", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world_model_table.make_table(args)
    metrics = tmp_path / "value/value/metrics.jsonl"
    before = metrics.read_text()
    table = world_model_table.make_table(args)
    assert metrics.read_text() == before, "the finished training was not repeated"
    assert table["value"]["value"]["training"]["steps"] == 2


def test_what_a_row_lacks_is_a_dash_and_intervals_stand_beside() -> None:
    rows = {"a": {"psnr": 20.0, "auc": None}, "longer": {"psnr": 21.5, "ssim": 0.5, "interval95_ssim": [0.4, 0.6]}}
    text = as_table(rows, {"psnr": "PSNR", "ssim": "SSIM", "epe": "EPE", "auc": "AUC"})
    assert [line.split() for line in text.splitlines()] == [
        ["PSNR", "SSIM", "AUC"],
        ["a", "20.000", "-", "-"],
        ["longer", "21.500", "0.500", "(0.40-0.60)", "-"],
    ]
    assert len({len(line) for line in text.splitlines()}) == 1, "columns stand below each other"
