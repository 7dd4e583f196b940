"""Where a LeRobot dataset keeps what: layouts v2.0 and v2.1 (one file per episode), v3.0 (many episodes per file)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from rise_learning.errors import DataError

UNSPLIT = "unsplit"


@dataclass(frozen=True)
class EpisodePlace:
    """One episode.

    Attributes:
        split: of info.json, e.g. train.
        rows: of the parquet file at `data`: all whose `episode_index` is `index`.
        videos: feature -> (file, s at which the episode begins in it).
    """

    index: int
    split: str
    length: int
    tasks: tuple[str, ...]
    data: Path
    videos: dict[str, tuple[Path, float]]


class LerobotLayout:
    """meta/info.json and the list of episodes. Raises DataError: not a dataset, or of a layout that is not known."""

    def __init__(self, root: Path) -> None:
        self.root = root
        path = root / "meta/info.json"
        if not path.is_file():
            raise DataError(f"{path} is missing; expected the directory of a LeRobot dataset")
        self.info: dict[str, Any] = _json(path.read_text(), path)
        self.version = str(self.info.get("codebase_version", "none"))
        if self.version not in ("v2.0", "v2.1", "v3.0"):
            raise DataError(f"{path}: codebase_version {self.version}; layouts v2.0, v2.1 and v3.0 are read")
        self.fps = float(self.info["fps"])
        self.features: dict[str, dict[str, Any]] = self.info["features"]

    def episodes(self) -> list[EpisodePlace]:
        """All of them, by number."""
        rows = self._of_version_2() if self.version.startswith("v2") else self._of_version_3()
        return sorted(rows, key=lambda episode: episode.index)

    def _of_version_2(self) -> list[EpisodePlace]:
        path = self.root / "meta/episodes.jsonl"
        if not path.is_file():
            raise DataError(f"{path} is missing; {self.version} keeps its list of episodes there")
        chunk, found = int(self.info.get("chunks_size", 1000)), []
        for line in filter(None, path.read_text().splitlines()):
            row = _json(line, path)
            number = int(row["episode_index"])
            names = {"episode_chunk": number // chunk, "episode_index": number}
            videos = {key: (self._path("video_path", video_key=key, **names), 0.0) for key in self._video_keys()}
            found.append(self._place(number, row, self._path("data_path", **names), videos))
        return found

    def _of_version_3(self) -> list[EpisodePlace]:
        files = sorted(self.root.glob("meta/episodes/*/*.parquet"))
        if not files:
            raise DataError(f"{self.root}/meta/episodes holds no parquet file; v3.0 keeps its list of episodes there")
        found = []
        for file in files:
            names = [name for name in parquet.read_schema(file).names if not name.startswith("stats/")]
            for row in parquet.read_table(file, columns=names).to_pylist():
                data = self._path("data_path", **_chunk(row, "data"))
                videos = {
                    key: (
                        self._path("video_path", video_key=key, **_chunk(row, f"videos/{key}")),
                        float(row[f"videos/{key}/from_timestamp"]),
                    )
                    for key in self._video_keys()
                }
                found.append(self._place(int(row["episode_index"]), row, data, videos))
        return found

    def _place(
        self, number: int, row: dict[str, Any], data: Path, videos: dict[str, tuple[Path, float]]
    ) -> EpisodePlace:
        tasks = tuple(str(task) for task in row.get("tasks") or ())
        return EpisodePlace(number, self._split(number), int(row["length"]), tasks, data, videos)

    def _split(self, number: int) -> str:
        for name, span in (self.info.get("splits") or {}).items():
            first, _, end = str(span).partition(":")
            if first.isdecimal() and end.isdecimal() and int(first) <= number < int(end):
                return str(name)
        return UNSPLIT

    def _video_keys(self) -> list[str]:
        return [name for name, feature in self.features.items() if feature["dtype"] == "video"]

    def _path(self, template: str, **names: Any) -> Path:
        return self.root / str(self.info[template]).format(**names)


def _chunk(row: dict[str, Any], prefix: str) -> dict[str, int]:
    return {name: int(row[f"{prefix}/{name}"]) for name in ("chunk_index", "file_index")}


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(raw).__name__}")
    return raw
