"""Recordings in DROID's format become bags that hold what was recorded; broken ones are named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import droid_helpers
import numpy as np
import pytest

from rise_learning.data.importers import get_format
from rise_learning.data.loading import to_arrays
from rise_learning.errors import ConfigError, DataError
from rise_learning.import_episodes import Args, import_episodes
from rise_robot.bag.check import check_bag
from rise_robot.bag.reader import read_episodes
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.images import decode_jpeg

FRAMES = 20


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(recordings, bags made of them with val/7 held out)."""
    root = tmp_path_factory.mktemp("droid")
    source = droid_helpers.write_recordings(root / "recordings", frames=FRAMES)
    import_episodes(Args(source=source, out=root / "bags", hold_out=("val/7",), json=True))
    return source, root / "bags"


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A source of one short recording, to be broken."""
    droid_helpers.write_recording(tmp_path / "one", "train", "3", success=1, frames=4, seed=0)
    return tmp_path / "one"


def change(source: Path, **fields: object) -> None:
    path = source / "annotation/train/3.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def refusal(source: Path) -> str:
    with pytest.raises(DataError) as found:
        import_episodes(Args(source=source, out=source.parent / "bags", json=True))
    return str(found.value)


def test_splits_stay_apart_and_success_decides_the_kind(imported: tuple[Path, Path]) -> None:
    found = {
        bag.name: [(e.episode_id, e.kind, e.outcome) for e in read_episodes(bag)]
        for bag in sorted(imported[1].iterdir())
    }
    assert found == {
        "held_out": [("droid-val-7", "demonstration", "success")],
        "train": [
            ("droid-train-0", "demonstration", "success"),
            ("droid-train-1", "demonstration", "success"),
            ("droid-train-2", "rollout", "failure"),
            ("droid-train-10", "rollout", "failure"),
        ],
        "val": [("droid-val-8", "rollout", "failure")],
    }


def test_bags_pass_the_check_without_a_remark(imported: tuple[Path, Path]) -> None:
    for bag in imported[1].iterdir():
        report = check_bag(bag)
        assert not report.error
        assert [problem.text for episode in report.episodes for problem in episode.problems] == []
        for episode in report.episodes:
            rates = {topic: round(stream.rate_hz, 3) for topic, stream in episode.streams.items()}
            assert rates.pop("joint_states") == rates.pop("joint_command") == 15.0
            assert set(rates.values()) == {5.0}
            assert len(rates) == 3


def test_numbers_are_those_of_the_annotation_and_the_gripper_opens_in_metres(imported: tuple[Path, Path]) -> None:
    source, bags = imported
    raw = json.loads((source / "annotation/train/1.json").read_text())
    episode = list(read_episodes(bags / "train"))[1]
    assert episode.instruction == episode.task == "push the block"
    np.testing.assert_allclose(episode.joint_positions[:, :7], raw["observation.state.joint_position"])
    np.testing.assert_allclose(episode.commands[:, :7], raw["action.joint_position"])
    np.testing.assert_allclose(
        episode.commands[:, 7], 0.085 * (1 - np.array(raw["action.gripper_position"])), atol=1e-12
    )
    assert episode.commands[0, 7] == pytest.approx(0.085)
    assert episode.commands[-1, 7] == pytest.approx(0.0)


def test_pictures_belong_to_every_third_step_and_show_the_block_where_the_joint_is(imported: tuple[Path, Path]) -> None:
    episode = next(read_episodes(imported[1] / "train"))
    for camera in episode.contract.cameras:
        stamps, files = episode.images[camera.name]
        np.testing.assert_array_equal(stamps, episode.joint_stamps[::3])
        for index in (0, 5, 12):
            red = decode_jpeg(files[index], (192, 320)).astype(int)
            columns = np.flatnonzero((red[100, :, 0] > 200) & (red[100, :, 1:].max(-1) < 60))
            expected = 160 + 90 * episode.joint_positions[3 * index, 0]
            assert columns.mean() == pytest.approx(expected, abs=3)
    arrays = to_arrays(episode, (48, 64))
    assert arrays.frames.shape == (FRAMES, 3, 48, 64, 3)
    assert arrays.action.shape == (3 * FRAMES - 2, 8)
    np.testing.assert_allclose(arrays.state[3 * 7], episode.joint_positions[3 * 7], rtol=1e-6)


def test_what_lies_outside_the_limits_is_counted_and_kept(one: Path) -> None:
    actions = np.tile(droid_helpers.HOME, (10, 1))
    actions[4:, 1] = 1.9
    change(one, **{"action.joint_position": actions.tolist()})
    (summary,) = import_episodes(Args(source=one, out=one.parent / "bags", json=True))
    assert summary.outside_position == {"panda_joint2": 6}
    assert summary.outside_velocity["panda_joint2"] == 1
    (episode,) = read_episodes(one.parent / "bags")
    assert episode.commands[:, 1].max() == pytest.approx(1.9)


def test_broken_recordings_are_named(one: Path) -> None:
    video = one / "videos/train/3/1.mp4"
    whole = video.read_bytes()
    video.unlink()
    assert f"{video} is missing" in refusal(one)
    video.write_bytes(b"no video")
    assert str(video) in refusal(one)
    video.write_bytes(whole)
    change(one, **{"action.joint_position": np.tile(droid_helpers.HOME, (9, 1)).tolist()})
    assert "action.joint_position is (9, 7) and gripper_position (10,)" in refusal(one)


def test_videos_of_another_length_size_or_rate_are_refused(one: Path) -> None:
    video = one / "videos/train/3/2.mp4"
    picture = np.zeros((192, 320, 3), np.uint8)
    for pictures, rate, expected in (
        ([picture] * 3, 5.0, "has 3 pictures, but the control steps of its annotation ask for 4"),
        ([cv2.resize(picture, (160, 96))] * 4, 5.0, "is 96x160, the contract's wrist 192x320"),
        ([picture] * 4, 15.0, "has 15 pictures/s, the contract's wrist has 5"),
    ):
        droid_helpers.write_video(video, pictures, rate)
        assert expected in refusal(one)


def test_a_refused_import_leaves_no_bag_behind(one: Path) -> None:
    (one / "videos/train/3/2.mp4").unlink()
    refusal(one)
    assert not list((one.parent / "bags").rglob("*.mcap"))


def test_wrong_names_get_a_hint(one: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean droid"):
        get_format("driod")
    with pytest.raises(ConfigError, match="--hold-out train/4: no such recording; there are train/3"):
        import_episodes(Args(source=one, out=tmp_path / "bags", hold_out=("train/4",)))
    with pytest.raises(DataError, match="annotation/SPLIT/ID.json"):
        import_episodes(Args(source=tmp_path / "elsewhere", out=tmp_path / "bags"))
    piper = config_path("contract_tiny.yaml")
    with pytest.raises(DataError, match="DROID has 7 joints in rad and a gripper in m"):
        import_episodes(Args(source=one, out=tmp_path / "bags", contract=piper))


def test_contract_gives_whole_groups_of_frames() -> None:
    contract = Contract.load(config_path("contract_droid.yaml"))
    assert (contract.action_dim, contract.chunk_size, contract.frames_per_chunk) == (8, 45, 15)
    assert contract.control_rate_hz / contract.actions_per_frame == contract.cameras[0].rate_hz


def test_command_line_says_one_line_on_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rise_learning.import_episodes", "--format", "droyd"]
    result = subprocess.run(
        [*command, "--source", str(tmp_path), "--out", str(tmp_path / "b")], capture_output=True, text=True
    )
    assert result.returncode == 1
    known = "There are: bridge, droid, lerobot"
    assert result.stderr.strip() == f"error: no recording format 'droyd'; did you mean droid? {known}"
