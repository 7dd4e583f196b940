"""LeRobot datasets become bags that hold what was recorded, in both layouts; what does not fit is named."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import lerobot_helpers as made
import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from rise_learning.data.loading import to_arrays
from rise_learning.errors import ConfigError, DataError
from rise_learning.import_episodes import Args, import_episodes
from rise_robot.bag.check import check_bag
from rise_robot.bag.reader import read_episodes

CONTRACT = made.contract()


@pytest.fixture(scope="module", params=["v2.1", "v3.0"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset beside its mapping and contract."""
    root = tmp_path_factory.mktemp("lerobot")
    made.write_mapping(root / "mapping.yaml")
    (root / "contract.yaml").write_text(CONTRACT.to_yaml())
    return made.write_dataset(root / "towels", request.param)


def flags(source: Path, out: Path, **changes) -> Args:
    beside = {"contract": source.parent / "contract.yaml", "mapping": source.parent / "mapping.yaml"}
    return Args(source=source, out=out, format="lerobot", json=True, **{**beside, **changes})


def test_rows_and_pictures_arrive_where_they_were_recorded(source: Path, tmp_path: Path) -> None:
    summaries = import_episodes(flags(source, tmp_path / "bags"))
    assert {Path(s.bag).name: s.episodes for s in summaries} == {"train": 2, "unsplit": 1}
    episodes = {e.episode_id[-1]: e for bag in ("train", "unsplit") for e in read_episodes(tmp_path / "bags" / bag)}
    for number in range(3):
        episode = episodes[str(number)]
        assert (episode.instruction, episode.outcome, episode.kind) == (
            made.TASKS[number],
            "success",
            "demonstration",
        )
        arrays = to_arrays(episode, (24, 32))
        arm, gripper, commanded = made.vectors(number)
        rows = np.arange(0, made.LENGTHS[number], 2)  # 20 rows/s on a grid of 10 Hz
        np.testing.assert_allclose(arrays.state[:, :3], arm[rows], atol=1e-6)
        np.testing.assert_allclose(arrays.state[:, 3], 0.001 * gripper[rows, 0], atol=1e-6)
        np.testing.assert_allclose(arrays.action[:, :3], commanded[rows], atol=1e-6)
        shown = arrays.frames.astype(float).mean((2, 4))  # (F, V, 32)
        grey = [made.level(number, frame) for frame in range(0, made.LENGTHS[number], 4)]
        np.testing.assert_allclose(shown[:, 0].mean(1), grey, atol=2.4, err_msg=f"episode {number}, top")
        np.testing.assert_allclose(shown[:, 1, 20:].mean(1), grey, atol=2.4, err_msg=f"episode {number}, wrist")
        assert shown[:, 1, :12].max() < 12


def test_bags_pass_the_check(source: Path, tmp_path: Path) -> None:
    import_episodes(flags(source, tmp_path / "bags", hold_out=("train/1",)))
    for bag in (tmp_path / "bags").iterdir():
        report = check_bag(bag)
        assert not report.error
        assert [problem.text for episode in report.episodes for problem in episode.problems] == []


def test_actions_may_be_differences(source: Path, tmp_path: Path) -> None:
    parts = [{"column": "action.arm", "indices": [0, 1, 2]}]
    parts.append({"column": "observation.state.gripper", "indices": [0], "scale": 0.0})
    mapping = made.write_mapping(tmp_path / "delta.yaml", action=parts, delta=True)
    import_episodes(flags(source, tmp_path / "bags", mapping=mapping))
    episode = next(iter(read_episodes(tmp_path / "bags/train")))
    arm, gripper, commanded = made.vectors(0)
    together = [commanded[row : row + 2].sum(0) for row in range(0, len(commanded), 2)]  # 20 rows/s, 10 control steps/s
    np.testing.assert_allclose(episode.commands[:, :3], arm[::2] + together, atol=1e-6)
    np.testing.assert_allclose(episode.commands[:, 3], 0.001 * gripper[::2, 0], atol=1e-6)


def test_steps_of_a_pose_and_an_opening_lie_in_one_action(source: Path, tmp_path: Path) -> None:
    """As in Bridge and most of Open X-Embodiment: a gripper that is held open is not opened again and again."""
    parts = [{"column": "action.arm", "indices": [0, 1, 2]}]
    parts.append({"column": "observation.state.gripper", "indices": [0], "scale": 0.001, "delta": False})
    mapping = made.write_mapping(tmp_path / "delta.yaml", action=parts, delta=True)
    import_episodes(flags(source, tmp_path / "bags", mapping=mapping))
    episode = next(iter(read_episodes(tmp_path / "bags/train")))
    arm, gripper, commanded = made.vectors(0)
    np.testing.assert_allclose(episode.commands[:, 3], 0.001 * gripper[::2, 0], atol=1e-6)
    together = [commanded[row : row + 2].sum(0) for row in range(0, len(commanded), 2)]
    np.testing.assert_allclose(episode.commands[:, :3], arm[::2] + together, atol=1e-6)


@pytest.mark.parametrize(
    ("contract", "mapping", "message"),
    [
        ({"control_rate_hz": 40.0}, {}, "20 rows/s, the contract's control_rate_hz is 40"),
        ({"joints": CONTRACT.joints[:3]}, {}, "state has 4 numbers, the contract 3 joints"),
        ({}, {"cameras": {"top": made.HEAD}}, "maps cameras \\['top'\\]"),
        ({}, {"cameras": {"top": made.HEAD, "wrist": "observation.images.foot"}}, "has no .*images.foot.*--mapping"),
        ({}, {"state": [{"column": "observation.state.arm", "indices": [0, 1, 2, 3]}]}, "has 3 numbers, the mapping"),
        ({}, {"outcome": "fine"}, "outcome 'fine' is not one of"),
        ({}, {"colour": "red"}, "colour.*it has the fields cameras, state, action, delta, outcome"),
    ],
)
def test_what_does_not_fit_is_refused(source: Path, tmp_path: Path, contract, mapping, message: str) -> None:
    changed = tmp_path / "contract.yaml"
    changed.write_text(dataclasses.replace(CONTRACT, **contract).to_yaml())
    written = made.write_mapping(tmp_path / "mapping.yaml", **mapping)
    with pytest.raises(ConfigError, match=message):
        import_episodes(flags(source, tmp_path / "bags", contract=changed, mapping=written))
    assert not (tmp_path / "bags").exists() or not any((tmp_path / "bags").iterdir())


def test_another_aspect_is_refused_and_no_contract_is_guessed(source: Path, tmp_path: Path) -> None:
    cameras = [dataclasses.replace(camera, height=32) for camera in CONTRACT.cameras]
    changed = tmp_path / "square.yaml"
    changed.write_text(dataclasses.replace(CONTRACT, cameras=tuple(cameras)).to_yaml())
    with pytest.raises(ConfigError, match="48x64, the contract's top 32x32: choose a size of the same aspect"):
        import_episodes(flags(source, tmp_path / "bags", contract=changed))
    with pytest.raises(ConfigError, match="--format lerobot is of many robots"):
        import_episodes(flags(source, tmp_path / "bags", contract=None))


def test_damage_is_named(source: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(source.parent, tmp_path / "copy") / "towels"
    video = sorted(copy.rglob("*head*/**/*.mp4") or copy.rglob("*.mp4"))[0]
    video.write_bytes(video.read_bytes()[:300])
    with pytest.raises(DataError, match=video.name):
        import_episodes(flags(copy, tmp_path / "bags"))
    data = sorted(copy.glob("data/*/*.parquet"))[0]
    table = parquet.read_table(data)
    parquet.write_table(table.slice(1), data)
    with pytest.raises(DataError, match="episode 0 has 40 rows, expected frames 0 to 40"):
        import_episodes(flags(copy, tmp_path / "bags"))
    info = json.loads((copy / "meta/info.json").read_text())
    (copy / "meta/info.json").write_text(json.dumps({**info, "codebase_version": "v1.6"}))
    with pytest.raises(DataError, match="codebase_version v1.6; layouts v2.0, v2.1 and v3.0 are read"):
        import_episodes(flags(copy, tmp_path / "bags"))


def test_pictures_within_the_table(tmp_path: Path) -> None:
    root = made.write_dataset(tmp_path / "towels", "v2.1")
    info = json.loads((root / "meta/info.json").read_text())
    for key in (made.HEAD, made.HAND):
        info["features"][key]["dtype"] = "image"
    (root / "meta/info.json").write_text(json.dumps(info))
    for number, length in enumerate(made.LENGTHS):
        file = root / f"data/chunk-000/episode_{number:06d}.parquet"
        table = parquet.read_table(file)
        for key in (made.HEAD, made.HAND):
            pictures = [np.full((48, 64, 3), made.level(number, frame), np.uint8) for frame in range(length)]
            cells = [{"bytes": cv2.imencode(".png", p)[1].tobytes(), "path": None} for p in pictures]
            table = table.append_column(key, arrow.array(cells))
        parquet.write_table(table, file)
    contract, mapping = tmp_path / "contract.yaml", made.write_mapping(tmp_path / "mapping.yaml")
    contract.write_text(CONTRACT.to_yaml())
    import_episodes(flags(root, tmp_path / "bags", contract=contract, mapping=mapping))
    arrays = to_arrays(next(iter(read_episodes(tmp_path / "bags/unsplit"))), (24, 32))
    grey = [made.level(2, frame) for frame in range(0, made.LENGTHS[2], 4)]
    np.testing.assert_allclose(arrays.frames.mean((1, 2, 3, 4)), grey, atol=1.5)
