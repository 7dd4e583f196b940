"""Recordings of BridgeData V2 (Walke et al. 2023) in the layout of world-model-eval: a video and a table per episode.

    SPLIT/ID.mp4    one camera, a picture per control step (5 Hz, whatever rate the file names)
    SPLIT/ID.npz    arr_0 (T, 10) float32: what the arm was told at picture t, as in `ACTION_SCALE`; three are 0

The format has no joints: states and commands are the position of the hand and its rotation vector since the episode
began, the sum of the recorded steps. Stamps are made up from the rate. Nobody judged the episodes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rise_learning.data.importers.droid import read_video
from rise_learning.data.importers.recording import Recording, imported_episode
from rise_learning.errors import ConfigError, DataError
from rise_robot.bag.episode import Episode
from rise_robot.core.contract import Contract
from rise_robot.core.resampling import grid_times

UNITS = ["m"] * 3 + ["rad"] * 3 + ["m"]
ACTION_SCALE = np.array([1.75 / 0.05] * 3 + [1.4 / 0.25] * 3)
"""Stored steps are m and rad times this, cut off at 1.75 and 1.4; then come the gripper, -1 open to 1 closed, and 0."""
FILE_RATE_HZ = 20.0
"""Written into the videos; the robot ran at 5 Hz."""


class BridgeSource:
    """A directory in that layout, read under a contract of x, y, z (m), three angles (rad) and a gripper (m)."""

    def __init__(self, path: Path, contract: Contract, mapping: Path | None = None) -> None:
        if mapping is not None:
            raise ConfigError("the layout of Bridge is known; --mapping is for LeRobot datasets")
        units = [joint.unit for joint in contract.joints]
        if units != UNITS or len(contract.cameras) != 1 or contract.actions_per_frame != 1:
            raise DataError(f"Bridge has {UNITS}, one camera and one action a picture; {contract.name} has {units}")
        self.path, self.contract = path, contract

    def recordings(self) -> list[Recording]:
        """Every table, by split and number."""
        files = sorted(self.path.glob("*/*.npz"))
        if not files:
            raise DataError(f"no recording in {self.path}: expected SPLIT/ID.npz beside SPLIT/ID.mp4")
        return [Recording(f"{file.parent.name}/{file.stem}", file.parent.name, file) for file in files]

    def read(self, recording: Recording, start_ns: int) -> Episode:
        """A demonstration whose outcome is unknown."""
        positions, commands = self._paths(recording)
        times, camera = grid_times(start_ns, len(commands), self.contract.control_rate_hz), self.contract.cameras[0]
        video = recording.path.with_suffix(".mp4")
        pictures = read_video(video, camera, len(commands), self.contract.jpeg_quality, rate_hz=FILE_RATE_HZ)
        return imported_episode(
            self.contract,
            f"bridge-{recording.split}-{recording.path.stem}",
            instruction="",
            outcome="unknown",
            times=times,
            positions=positions,
            commands=commands,
            images={camera.name: (times, pictures)},
            source=str(recording.path),
        )

    def _paths(self, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
        """(T, 7) float64 where the hand is at each picture and where it is told to go; m and rad."""
        try:
            table = np.asarray(np.load(recording.path)["arr_0"], np.float64)
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{recording.path} cannot be read: {error}") from error
        if table.ndim != 2 or table.shape[1] != 10 or not len(table) or not np.isfinite(table).all():
            raise DataError(f"{recording.path} holds {table.shape}, expected (T, 10) finite numbers")
        told = np.cumsum(table[:, :6] / ACTION_SCALE, axis=0)
        gripper = self.contract.joints[-1].upper * (1.0 - table[:, 6:7]) / 2.0
        commands = np.concatenate([told, gripper], axis=1)
        before = np.concatenate([np.zeros((1, 6)), told[:-1]]), np.concatenate([gripper[:1], gripper[:-1]])
        return np.concatenate(before, axis=1), commands
