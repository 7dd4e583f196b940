"""Recordings of Bridge become bags in SI units, one action a picture; broken ones are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from droid_helpers import write_video

from rise_learning.data.loading import to_arrays
from rise_learning.errors import DataError
from rise_learning.import_episodes import Args, import_episodes
from rise_robot.bag.reader import read_episodes
from rise_robot.core.images import decode_jpeg

FRAMES = 14


def write(root: Path, *, frames: int = FRAMES, rate: float = 20.0) -> Path:
    """One recording: the hand moves 3.5 stored units, which are 0.1 m, a step along x; the gripper closes halfway."""
    table = np.zeros((frames, 10), np.float32)
    table[:, 0], table[:, 5] = 0.35, 0.56
    table[:, 6] = np.where(np.arange(frames) < frames // 2, -1.0, 1.0)
    path = root / "train" / "000000007.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, table)
    pictures = [np.full((256, 256, 3), 10 * number, np.uint8) for number in range(frames)]
    write_video(path.with_suffix(".mp4"), pictures, rate)
    return root


def test_steps_become_the_hands_way_in_m_and_rad(tmp_path: Path) -> None:
    (summary,) = import_episodes(Args(write(tmp_path / "source"), tmp_path / "bags", format="bridge", json=True))
    assert (summary.episodes, summary.frames, summary.outside_position) == (1, FRAMES, {})
    (episode,) = read_episodes(tmp_path / "bags" / "train")
    assert (episode.kind, episode.outcome, episode.contract.name) == ("demonstration", "unknown", "bridge_widowx")
    np.testing.assert_allclose(episode.commands[:, 0], 0.01 * np.arange(1, FRAMES + 1), atol=1e-7)
    np.testing.assert_allclose(episode.commands[:, 5], 0.1 * np.arange(1, FRAMES + 1), atol=1e-6)
    np.testing.assert_allclose(episode.joint_positions[1:], episode.commands[:-1], atol=1e-7)
    assert set(episode.commands[: FRAMES // 2, 6]) == {0.074} and set(episode.commands[FRAMES // 2 :, 6]) == {0.0}
    stamps, files = episode.images["outside"]
    assert np.allclose(np.diff(stamps), 0.2e9) and abs(int(decode_jpeg(files[5]).mean()) - 50) < 5
    arrays = to_arrays(episode, (48, 64))
    assert len(arrays.frames) == len(arrays.action) == FRAMES


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    wrong_rate = write(tmp_path / "rate", rate=5.0)
    with pytest.raises(DataError, match="has 5 pictures/s, its format has 20"):
        import_episodes(Args(wrong_rate, tmp_path / "bags", format="bridge", json=True))
    broken = write(tmp_path / "table")
    np.savez(broken / "train" / "000000007.npz", np.zeros((FRAMES, 7)))
    with pytest.raises(DataError, match=r"holds \(14, 7\), expected \(T, 10\)"):
        import_episodes(Args(broken, tmp_path / "bags", format="bridge", json=True))
    assert not (tmp_path / "bags" / "train").exists()
    with pytest.raises(DataError, match="no recording in"):
        import_episodes(Args(tmp_path / "nothing", tmp_path / "bags", format="bridge", json=True))
