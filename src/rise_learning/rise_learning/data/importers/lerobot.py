"""Datasets in LeRobot's format (parquet and MP4), as AgiBot World, Galaxea and Bridge are published, from a directory.

State, action and pictures of a row are of one moment, row k at k / fps. They are put on the contract's control grid by
taking the latest row at or before each step; a contract faster than the dataset is refused, for it would have to make
rows up. Pictures are resized by area where their aspect is the contract's, and refused elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pyarrow.parquet as parquet

from rise_learning.data.importers.lerobot_layout import EpisodePlace, LerobotLayout
from rise_learning.data.importers.lerobot_mapping import LerobotMapping, Part
from rise_learning.data.importers.recording import Recording, imported_episode
from rise_learning.errors import ConfigError, DataError
from rise_robot.bag.episode import CameraStream, Episode
from rise_robot.core.contract import CameraSpec, Contract
from rise_robot.core.images import encode_jpeg
from rise_robot.core.resampling import grid_times, latest_at_or_before

ASPECT = 0.02
"""Relative difference of aspect up to which pictures are resized."""


class LerobotSource:
    """A directory in LeRobot's format, read under a contract and a mapping."""

    def __init__(self, path: Path, contract: Contract, mapping: Path | None = None) -> None:
        self.layout, self.contract = LerobotLayout(path), contract
        self.mapping = LerobotMapping.load(mapping, contract)
        features = self.layout.features
        wanted = [*self.mapping.columns, *self.mapping.cameras.values()]
        if missing := sorted(set(wanted) - set(features)):
            raise ConfigError(f"{path} has no {missing}, it has {sorted(features)}; map them with --mapping")
        if contract.control_rate_hz > self.layout.fps * 1.001:
            raise ConfigError(
                f"{path} has {self.layout.fps:g} rows/s, the contract's control_rate_hz is "
                f"{contract.control_rate_hz:g}; choose at most the dataset's rate"
            )
        self._places = {place.index: place for place in self.layout.episodes()}

    def recordings(self) -> list[Recording]:
        """Every episode, by number; its name is SPLIT/NUMBER."""
        if not self._places:
            raise DataError(f"no episode in {self.layout.root}")
        return [Recording(f"{place.split}/{number}", place.split, place.data) for number, place in self._places.items()]

    def read(self, recording: Recording, start_ns: int) -> Episode:
        """Teleoperated, so a demonstration; the mapping says with what outcome."""
        place = self._places[int(recording.name.rpartition("/")[2])]
        rows = self._rows(place)
        positions = self._vectors(rows, self.mapping.state, place)
        commands = self._vectors(rows, self.mapping.action, place)
        recorded = grid_times(start_ns, place.length, self.layout.fps)
        steps = 1 + int((place.length - 1) * self.contract.control_rate_hz / self.layout.fps + 1e-6)
        times = grid_times(start_ns, steps, self.contract.control_rate_hz)
        taken = latest_at_or_before(recorded, times)
        # a slower grid goes as far in one step as the rows of that step together
        stepped = positions[taken] + np.add.reduceat(commands, taken, axis=0)
        commands = np.where(self.mapping.steps, stepped, commands[taken])
        instruction = place.tasks[0].strip() if place.tasks else ""
        outcome = self.mapping.outcome
        return imported_episode(
            self.contract,
            f"lerobot-{self.layout.root.name}-{place.index:06d}",
            instruction=instruction,
            outcome=outcome,
            times=times,
            positions=positions[taken],
            commands=commands,
            images=self._images(place, rows, recorded, times[:: self.contract.actions_per_frame]),
            source=f"{self.layout.root} episode {place.index}",
        )

    def _rows(self, place: EpisodePlace) -> dict[str, list[Any]]:
        """Columns of the episode, in the order of its frames."""
        stills = [key for key in self.mapping.cameras.values() if self.layout.features[key]["dtype"] == "image"]
        names = ["frame_index", *sorted(self.mapping.columns), *stills]
        if not place.data.is_file():
            raise DataError(f"{place.data} is missing; it holds episode {place.index}")
        chosen = [("episode_index", "=", place.index)]
        rows = parquet.read_table(place.data, columns=names, filters=chosen).sort_by("frame_index").to_pydict()
        if rows["frame_index"] != list(range(place.length)):
            raise DataError(
                f"{place.data}: episode {place.index} has {len(rows['frame_index'])} rows, expected frames 0 to "
                f"{place.length - 1}"
            )
        return rows

    def _vectors(self, rows: dict[str, list[Any]], parts: tuple[Part, ...], place: EpisodePlace) -> np.ndarray:
        """(T, A) float64, rad and m."""
        found = []
        for part in parts:
            table = np.asarray(rows[part.column], np.float64).reshape(place.length, -1)
            if max(part.indices) >= table.shape[1]:
                raise ConfigError(f"{part.column} has {table.shape[1]} numbers, the mapping asks for {part.indices}")
            found.append(part.of(table))
        vectors = np.concatenate(found, axis=1)
        if not np.isfinite(vectors).all():
            raise DataError(f"{place.data}: episode {place.index} holds NaN or infinite numbers")
        return vectors

    def _images(
        self, place: EpisodePlace, rows: dict[str, list[Any]], recorded: np.ndarray, times: np.ndarray
    ) -> dict[str, CameraStream]:
        """The pictures that the frame grid `times` shows, with the stamps of their rows."""
        shown = np.unique(latest_at_or_before(recorded, times))
        streams = {}
        for camera in self.contract.cameras:
            key = self.mapping.cameras[camera.name]
            if key in place.videos:
                path, begins_s = place.videos[key]
                pictures = read_clip(path, begins_s, shown, self.layout.fps)
            else:
                pictures = [_still(rows[key][number], place) for number in shown]
            files = [encode_jpeg(_fit(picture, camera, key), self.contract.jpeg_quality) for picture in pictures]
            streams[camera.name] = (recorded[shown], files)
        return streams


def read_clip(path: Path, begins_s: float, shown: np.ndarray, fps: float) -> list[np.ndarray]:
    """(H, W, 3) uint8 RGB pictures number `shown` (n,), rising, of a clip that begins at `begins_s` of a video.

    Raises:
        DataError: missing, unreadable or too short.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing")
    seek = ["-ss", f"{begins_s - 0.5 / fps:.6f}"] if begins_s > 0.5 / fps else []
    count = int(shown[-1]) + 1
    stream = imageio_ffmpeg.read_frames(
        str(path), input_params=seek, output_params=["-fps_mode", "passthrough", "-frames:v", str(count)]
    )
    wanted, pictures = set(shown.tolist()), []
    try:
        width, height = next(stream)["size"]
        for number, picture in enumerate(stream):
            if number in wanted:
                pictures.append(np.frombuffer(picture, np.uint8).reshape(height, width, 3))
    except (OSError, RuntimeError, StopIteration) as error:
        raise DataError(f"{path} cannot be read as a video: {str(error)[:300]}") from error
    finally:
        stream.close()
    if len(pictures) != len(shown):
        raise DataError(f"{path} ends before picture {count} from {begins_s:.3f} s on; the episode has that many rows")
    return pictures


def _still(cell: Any, place: EpisodePlace) -> np.ndarray:
    content = cell["bytes"] if isinstance(cell, dict) else cell
    picture = None if not content else cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise DataError(f"{place.data}: a picture of episode {place.index} is not in the file or cannot be decoded")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _fit(picture: np.ndarray, camera: CameraSpec, key: str) -> np.ndarray:
    """`picture` at the camera's size."""
    height, width = picture.shape[:2]
    if abs(width * camera.height / (height * camera.width) - 1.0) > ASPECT:
        raise ConfigError(
            f"{key} is {height}x{width}, the contract's {camera.name} {camera.height}x{camera.width}: choose a size of "
            "the same aspect"
        )
    if (height, width) == (camera.height, camera.width):
        return picture
    return cv2.resize(picture, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
