"""Bags that must not be learned from: each gives its own named error, in the reader and in `check`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from bag_helpers import make_episode, tiny_contract

from rise_robot.bag import check, schema
from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.reader import read_episodes
from rise_robot.bag.writer import BagWriter
from rise_robot.core.errors import BagError


def write(path: Path, episode) -> Path:
    with BagWriter(path, episode.contract) as bag:
        write_episode(bag, episode)
    return path


def codes(path: Path, capsys) -> tuple[int, set[tuple[str, str]]]:
    """Exit code of `check --json` and the (severity, code) of its findings."""
    code = check.main([str(path), "--json"])
    report = json.loads(capsys.readouterr().out)
    episodes = [episode for bag in report["bags"] for episode in bag["episodes"]]
    return code, {(p["severity"], p["code"]) for episode in episodes for p in episode["problems"]}


def without_frames(episode, camera: str, keep: slice):
    stamps, files = episode.images[camera]
    return dataclasses.replace(episode, images={**episode.images, camera: (stamps[keep], files[keep])})


def test_a_good_bag_passes_with_rates_of_the_contract(tmp_path, capsys):
    path = write(tmp_path / "bag", make_episode())
    assert check.main([str(path), "--json"]) == 0
    (bag,) = json.loads(capsys.readouterr().out)["bags"]
    (episode,) = bag["episodes"]
    assert episode["problems"] == []
    assert episode["streams"]["joint_command"]["rate_hz"] == pytest.approx(30.0)
    assert episode["streams"]["camera/top/image_raw/compressed"]["rate_hz"] == pytest.approx(15.0)


def test_a_camera_that_was_never_recorded_is_named(tmp_path, capsys):
    path = write(tmp_path / "bag", without_frames(make_episode(), "wrist_left", slice(0, 0)))
    with pytest.raises(BagError, match="camera/wrist_left/image_raw/compressed"):
        list(read_episodes(path))
    assert codes(path, capsys) == (1, {("error", "unreadable")})


def test_a_camera_that_stops_is_stale_and_named(tmp_path, capsys):
    path = write(tmp_path / "bag", without_frames(make_episode(), "top", slice(0, 4)))
    with pytest.raises(BagError, match=r"camera/top/image_raw/compressed is .* s old .*0.200 s is allowed"):
        list(read_episodes(path))
    assert codes(path, capsys) == (1, {("error", "resampling")})


def test_a_camera_that_begins_too_late_is_refused(tmp_path):
    episode = without_frames(make_episode(steps=91), "top", slice(20, None))
    path = write(tmp_path / "bag", episode)
    with pytest.raises(BagError, match="begins 1.33 s after the first joint_command"):
        list(read_episodes(path))


@pytest.mark.parametrize(("kind", "severity"), [("demonstration", "error"), ("rollout", "warning")])
def test_an_episode_that_the_recording_joined_is_named(tmp_path, capsys, kind, severity):
    episode = make_episode(start_s=9.0, kind=kind, start_ns=10**9)
    path = write(tmp_path / "bag", episode)
    assert codes(path, capsys) == (severity == "error", {(severity, "late_recording")})
    if severity == "error":
        with pytest.raises(BagError, match=r"began 8\.0 s after the episode"):
            list(read_episodes(path))


def test_dropped_frames_are_flagged_not_refused(tmp_path, capsys):
    episode = make_episode(steps=61)
    stamps, files = episode.images["top"]
    keep = [index for index in range(len(files)) if index not in (5, 9, 14)]
    images = {**episode.images, "top": (stamps[keep], [files[index] for index in keep])}
    path = write(tmp_path / "bag", dataclasses.replace(episode, images=images))
    assert len(list(read_episodes(path))) == 1
    assert codes(path, capsys) == (0, {("warning", "drops")})


@pytest.mark.parametrize("field", ["joint_positions", "commands"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_refused_with_its_joint(tmp_path, capsys, field, value):
    values = getattr(make_episode(), field).copy()
    values[7, 6] = value
    changes = {field: values} | ({"clean_commands": values} if field == "commands" else {})
    path = write(tmp_path / "bag", make_episode(**changes))
    with pytest.raises(BagError, match="left_gripper"):
        list(read_episodes(path))
    code, found = codes(path, capsys)
    assert code == 1 and ("error", "not_finite") in found


def test_pictures_that_do_not_decode_or_have_another_size_are_refused(tmp_path, capsys):
    episode = make_episode()
    stamps, files = episode.images["top"]
    wrong = {**episode.images, "top": (stamps, [files[0][:40], *files[1:]])}
    assert codes(write(tmp_path / "cut", dataclasses.replace(episode, images=wrong)), capsys) == (
        1,
        {("error", "pictures")},
    )
    larger = tuple(dataclasses.replace(camera, height=32) for camera in episode.contract.cameras)
    other = dataclasses.replace(episode, contract=dataclasses.replace(episode.contract, cameras=larger))
    assert codes(write(tmp_path / "size", other), capsys) == (1, {("error", "pictures")})


def test_skipping_says_what_was_left_out(tmp_path):
    values = make_episode().commands.copy()
    values[0, 0] = np.nan
    with BagWriter(tmp_path / "bag", tiny_contract()) as bag:
        write_episode(bag, make_episode("bad", commands=values))
        write_episode(bag, make_episode("good", 10.0))
    told: list[str] = []
    kept = list(read_episodes(tmp_path / "bag", on_error="skip", skipped=told.append))
    assert [episode.episode_id for episode in kept] == ["good"]
    assert len(told) == 1 and "bad" in told[0] and "left_joint1" in told[0]


def test_a_missing_joint_is_named(tmp_path):
    episode = make_episode()
    fewer = dataclasses.replace(episode.contract, joints=episode.contract.joints[1:])
    with BagWriter(tmp_path / "bag", episode.contract) as bag:
        short = dataclasses.replace(
            episode,
            joint_positions=episode.joint_positions[:, 1:],
            joint_velocities=None,
            commands=episode.commands[:, 1:],
            clean_commands=episode.commands[:, 1:],
            contract=fewer,
        )
        bag.contract = fewer
        write_episode(bag, short)
    with pytest.raises(BagError, match=r"joints \['left_joint1'\] of the contract are missing"):
        list(read_episodes(tmp_path / "bag", contract=episode.contract))


def test_a_bag_without_marks_says_so(tmp_path):
    with BagWriter(tmp_path / "bag", tiny_contract()):
        pass
    with pytest.raises(BagError, match="episode/status"):
        list(read_episodes(tmp_path / "bag"))
    assert check.main([str(tmp_path / "bag")]) == 2


def test_a_path_that_is_no_bag_says_what_was_expected(tmp_path):
    with pytest.raises(BagError, match="does not exist"):
        list(read_episodes(tmp_path / "nowhere"))
    with pytest.raises(BagError, match="no bag at or below"):
        list(read_episodes(tmp_path))


def test_unknown_topics_cannot_be_written(tmp_path):
    with BagWriter(tmp_path / "bag", tiny_contract()) as bag, pytest.raises(BagError, match="'camera/roof'"):
        bag.write("camera/roof", 0, b"")
    assert schema.JOINT_COMMAND in {spec.name for spec in schema.topics(tiny_contract())}
