"""Recordings of DROID (Khazatsky et al. 2024) in the layout of Ctrl-World: one JSON and three videos per episode.

    annotation/SPLIT/ID.json      success, texts, per control step (15 Hz): observation.state.joint_position (7, rad),
                                  action.joint_position (7, rad, absolute), both with gripper_position (0 open to 1)
    videos/SPLIT/ID/{0,1,2}.mp4   two outside cameras and the wrist's, one picture per three control steps (5 Hz)

Control step 3 f belongs to picture f. Stamps are made up from the rates: the format has none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rise_learning.data.importers.recording import Recording, imported_episode
from rise_learning.errors import ConfigError, DataError
from rise_robot.bag.episode import CameraStream, Episode
from rise_robot.core.contract import CameraSpec, Contract
from rise_robot.core.images import encode_jpeg
from rise_robot.core.resampling import grid_times

ARM_JOINTS = 7


class DroidSource:
    """A directory in DROID's format, read under a contract of 7 joints (rad) and one gripper (m)."""

    def __init__(self, path: Path, contract: Contract, mapping: Path | None = None) -> None:
        if mapping is not None:
            raise ConfigError("DROID's layout is known; --mapping is for LeRobot datasets")
        units = [joint.unit for joint in contract.joints]
        if units != ["rad"] * ARM_JOINTS + ["m"]:
            raise DataError(f"DROID has {ARM_JOINTS} joints in rad and a gripper in m; {contract.name} has {units}")
        self.path, self.contract = path, contract

    def recordings(self) -> list[Recording]:
        """Every annotation, by split and number."""
        files = sorted(self.path.glob("annotation/*/*.json"), key=lambda file: (file.parent.name, _number(file.stem)))
        if not files:
            raise DataError(f"no recording in {self.path}: expected annotation/SPLIT/ID.json beside videos/SPLIT/ID/")
        return [Recording(f"{file.parent.name}/{file.stem}", file.parent.name, file) for file in files]

    def read(self, recording: Recording, start_ns: int) -> Episode:
        """Success -> demonstration; failure -> rollout, so that it is judged and not imitated."""
        raw = _load(recording.path)
        success = _field(raw, "success", recording)
        if success not in (0, 1, True, False):
            raise DataError(f"{recording.path}: success is {success!r}, expected 0 or 1")
        positions = self._joint_vectors(raw, "observation.state", recording)
        commands = self._joint_vectors(raw, "action", recording)
        if len(positions) != len(commands) or not len(commands):
            raise DataError(
                f"{recording.path}: {len(positions)} states and {len(commands)} actions; one action per state is needed"
            )
        times = grid_times(start_ns, len(commands), self.contract.control_rate_hz)
        texts = raw.get("texts") or [""]
        return imported_episode(
            self.contract,
            f"droid-{recording.split}-{recording.path.stem}",
            instruction=str(texts[0]).strip(),
            outcome="success" if success else "failure",
            times=times,
            positions=positions,
            commands=commands,
            images=self._images(recording, times[:: self.contract.actions_per_frame]),
            source=str(recording.path),
        )

    def _joint_vectors(self, raw: dict[str, Any], part: str, recording: Recording) -> np.ndarray:
        """(T, 8) float64: seven angles in rad, and the opening of the gripper in m."""
        arm = np.asarray(_field(raw, f"{part}.joint_position", recording), np.float64)
        closed = np.asarray(_field(raw, f"{part}.gripper_position", recording), np.float64)
        if arm.ndim != 2 or arm.shape[1] != ARM_JOINTS or closed.shape != arm.shape[:1]:
            raise DataError(
                f"{recording.path}: {part}.joint_position is {arm.shape} and gripper_position {closed.shape}, "
                f"expected (T, {ARM_JOINTS}) and (T,)"
            )
        if not (np.isfinite(arm).all() and np.isfinite(closed).all()):
            raise DataError(f"{recording.path}: {part} holds NaN or infinite numbers")
        return np.column_stack([arm, self.contract.joints[-1].upper * (1.0 - closed)])

    def _images(self, recording: Recording, stamps: np.ndarray) -> dict[str, CameraStream]:
        folder = self.path / "videos" / recording.split / recording.path.stem
        return {
            camera.name: (stamps, read_video(folder / f"{number}.mp4", camera, len(stamps), self.contract.jpeg_quality))
            for number, camera in enumerate(self.contract.cameras)
        }


def read_video(
    path: Path, camera: CameraSpec, frames: int, jpeg_quality: int, rate_hz: float | None = None
) -> list[bytes]:
    """JPEG files of every picture of a video.

    Args:
        camera: whose size the video must have, and whose rate where `rate_hz` names no other.
        frames: how many pictures the episode's control steps ask for.

    Raises:
        DataError: missing, not a video, or of another size, rate or length.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; every episode needs one video per camera of the contract ({camera.name})")
    video = cv2.VideoCapture(str(path))
    rate, expected, files = video.get(cv2.CAP_PROP_FPS), rate_hz or camera.rate_hz, []
    if not video.isOpened() or abs(rate - expected) > 0.01 * expected:
        asks = f"the contract's {camera.name}" if rate_hz is None else "its format"
        raise DataError(f"{path} has {rate:g} pictures/s, {asks} has {expected:g}")
    while True:
        there, picture = video.read()
        if not there:
            break
        if picture.shape[:2] != (camera.height, camera.width):
            height, width = picture.shape[:2]
            raise DataError(f"{path} is {height}x{width}, the contract's {camera.name} {camera.height}x{camera.width}")
        files.append(encode_jpeg(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), jpeg_quality))
    video.release()
    if len(files) != frames:
        raise DataError(f"{path} has {len(files)} pictures, but the control steps of its annotation ask for {frames}")
    return files


def _load(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(raw).__name__}")
    return raw


def _field(raw: dict[str, Any], name: str, recording: Recording) -> Any:
    if name not in raw:
        raise DataError(f"{recording.path} lacks {name!r}; it has {sorted(raw)}")
    return raw[name]


def _number(stem: str) -> tuple[int, str]:
    """Sorts 2 before 10, and names behind numbers."""
    return (int(stem), "") if stem.isdecimal() else (10**18, stem)
