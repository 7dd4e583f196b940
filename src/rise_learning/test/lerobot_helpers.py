"""A made-up LeRobot dataset: v2.1 (H.264, one file per episode) or v3.0 (AV1, all episodes in one file)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import yaml

from rise_robot.core.contract import Contract, JointSpec, config_path

FPS, LENGTHS, SIZE = 20, (41, 30, 24), (48, 64)
TASKS = ("fold the towel", "pour the tea", "fold the towel")
HEAD, HAND = "observation.images.head", "observation.images.hand_left"
PATHS = {
    "v2.1": (
        "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    ),
    "v3.0": (
        "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    ),
}


def level(episode: int, frame: int) -> int:
    """Grey of the picture of a frame: tells which one it is."""
    return 20 + 5 * frame if episode != 1 else 230 - 5 * frame


def vectors(episode: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, 3) arm, (T, 1) gripper in mm, (T, 3) commanded arm."""
    time = np.arange(LENGTHS[episode])[:, None] / FPS
    arm = 0.1 * episode + np.sin(time + np.arange(3))
    return arm.astype(np.float32), (40 + 10 * np.cos(time)).astype(np.float32), (arm + 0.01).astype(np.float32)


def contract() -> Contract:
    """Three joints and a gripper at 10 Hz, two cameras at 5 Hz: another robot than ours, slower than the dataset."""
    tiny = Contract.load(config_path("contract_tiny.yaml"))
    joints = [JointSpec(f"joint{i}", "rad", -3.0, 3.0, 3.0, 30.0) for i in range(3)]
    joints.append(JointSpec("gripper", "m", 0.0, 0.08, 0.3, 6.0))
    cameras = [
        dataclasses.replace(
            camera, name=name, topic=f"camera/{name}/image_raw", height=24, width=32, rate_hz=5.0, max_age_s=0.4
        )
        for camera, name in zip(tiny.cameras, ("top", "wrist"), strict=False)
    ]
    return dataclasses.replace(
        tiny, name="towel_robot", robot="towel_robot", control_rate_hz=10.0, chunk_size=10, joints=tuple(joints),
        cameras=tuple(cameras), joint_state_max_age_s=0.2,
    )  # fmt: skip


def write_mapping(path: Path, **changes: Any) -> Path:
    """The columns of this dataset for `contract`."""
    gripper = {"column": "observation.state.gripper", "indices": [0], "scale": 0.001}
    mapping = {
        "cameras": {"top": HEAD, "wrist": HAND},
        "state": [{"column": "observation.state.arm", "indices": [0, 1, 2]}, gripper],
        "action": [{"column": "action.arm", "indices": [0, 1, 2]}, gripper],
        "outcome": "success",
        **changes,
    }
    path.write_text(yaml.safe_dump(mapping))
    return path


def write_dataset(root: Path, version: str) -> Path:
    """All episodes, the first two in split train."""
    data_path, video_path = PATHS[version]
    features: dict[str, Any] = {
        "observation.state.arm": {"dtype": "float32", "shape": [3], "names": ["a", "b", "c"]},
        "observation.state.gripper": {"dtype": "float32", "shape": [1], "names": None},
        "action.arm": {"dtype": "float32", "shape": [3], "names": ["a", "b", "c"]},
    }
    features |= {key: {"dtype": "video", "shape": [*SIZE, 3], "names": None} for key in (HEAD, HAND)}
    info = {"codebase_version": version, "fps": FPS, "chunks_size": 1000, "splits": {"train": "0:2"},
            "data_path": data_path, "video_path": video_path, "features": features}  # fmt: skip
    (root / "meta").mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info))
    (_write_version_2 if version == "v2.1" else _write_version_3)(root, data_path, video_path)
    return root


def _table(episodes: range) -> arrow.Table:
    rows: dict[str, list[Any]] = {name: [] for name in ("episode_index", "frame_index", "timestamp")}
    rows |= {name: [] for name in ("observation.state.arm", "observation.state.gripper", "action.arm")}
    for episode in episodes:
        parts = dict(zip(list(rows)[3:], vectors(episode), strict=True))
        for frame in range(LENGTHS[episode]):
            rows["episode_index"].append(episode)
            rows["frame_index"].append(frame)
            rows["timestamp"].append(frame / FPS)
            for name, values in parts.items():
                rows[name].append(values[frame].tolist())
    return arrow.table(rows)


def _write_version_2(root: Path, data_path: str, video_path: str) -> None:
    lines = []
    for episode, length in enumerate(LENGTHS):
        names = {"episode_chunk": 0, "episode_index": episode}
        file = root / data_path.format(**names)
        file.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(_table(range(episode, episode + 1)), file)
        for key in (HEAD, HAND):
            _write_video(root / video_path.format(video_key=key, **names), range(episode, episode + 1), "libx264")
        lines.append(json.dumps({"episode_index": episode, "tasks": [TASKS[episode]], "length": length}))
    (root / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")


def _write_version_3(root: Path, data_path: str, video_path: str) -> None:
    names, everything = {"chunk_index": 0, "file_index": 0}, range(len(LENGTHS))
    file = root / data_path.format(**names)
    file.parent.mkdir(parents=True)
    parquet.write_table(_table(everything), file)
    rows = []
    for episode in reversed(everything):  # files keep no order
        row = {"episode_index": episode, "tasks": [TASKS[episode]], "length": LENGTHS[episode]}
        row |= {"data/chunk_index": 0, "data/file_index": 0, "stats/action.arm/mean": [0.0]}
        for key in (HEAD, HAND):
            row |= {f"videos/{key}/chunk_index": 0, f"videos/{key}/file_index": 0}
            row[f"videos/{key}/from_timestamp"] = sum(LENGTHS[:episode]) / FPS
        rows.append(row)
    meta = root / "meta/episodes/chunk-000/file-000.parquet"
    meta.parent.mkdir(parents=True)
    parquet.write_table(arrow.Table.from_pylist(rows), meta)
    for key in (HEAD, HAND):
        _write_video(root / video_path.format(video_key=key, **names), everything, "libsvtav1")


def _write_video(path: Path, episodes: range, codec: str) -> None:
    """Grey pictures; those of the hand have a black left half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = SIZE
    options = ["-g", "2", "-crf", "10"] + (["-preset", "12"] if codec == "libsvtav1" else [])
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=FPS, codec=codec, macro_block_size=2, output_params=options, quality=None
    )
    writer.send(None)
    for episode in episodes:
        for frame in range(LENGTHS[episode]):
            picture = np.full((height, width, 3), level(episode, frame), np.uint8)
            if HAND in str(path):
                picture[:, : width // 2] = 0
            writer.send(np.ascontiguousarray(picture))
    writer.close()
