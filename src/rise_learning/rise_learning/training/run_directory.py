"""One directory of one training: resolved config, metrics as JSON lines and TensorBoard, checkpoints, final model."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import math
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from rise_learning.errors import CheckpointError
from rise_learning.training import distributed


class RunDirectory:
    """`path/{config.json, metrics.jsonl, tensorboard/, checkpoints/, model.safetensors}`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.checkpoints = self.path / "checkpoints"
        self.metrics = self.path / "metrics.jsonl"
        self._tensorboard: SummaryWriter | None = None
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """From now on to `close` this training is the only one that writes here. A killed one leaves no lock behind.

        Raises:
            CheckpointError: another one does.
        """
        if not distributed.is_main() or self._lock is not None:
            return
        lock = (self.path / ".lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise CheckpointError(f"{self.path} is being trained by another process; wait or end it") from error
        self._lock = lock

    def save_config(self, **sections: Any) -> None:
        """Write the resolved configuration; dataclasses become mappings."""
        write_json(self.path / "config.json", {name: to_plain(section) for name, section in sections.items()})

    def log(self, step: int, values: dict[str, float]) -> None:
        """Append one line to metrics.jsonl and to TensorBoard; the first process does."""
        if not distributed.is_main():
            return
        with self.metrics.open("a") as stream:
            stream.write(json.dumps({"step": step, **values}) + "\n")
        if self._tensorboard is None:
            self._tensorboard = SummaryWriter(str(self.path / "tensorboard"), purge_step=step)
        for name, value in values.items():
            self._tensorboard.add_scalar(name, value, step)

    def forget_metrics_after(self, step: int) -> None:
        """Drop lines of steps that a killed run logged past its last checkpoint; they will be logged again."""
        if not self.metrics.exists() or not distributed.is_main():
            return
        kept = [line for line in self.metrics.read_text().splitlines() if _step_of(line) <= step]
        temporary = self.metrics.with_suffix(".tmp")
        temporary.write_text("".join(line + "\n" for line in kept))
        os.replace(temporary, self.metrics)

    def close(self) -> None:
        """Nothing more is written; another training may."""
        if self._tensorboard is not None:
            self._tensorboard.close()
            self._tensorboard = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _step_of(line: str) -> float:
    """Step of a metrics line; a line cut short by kill -9 counts as never written."""
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError):
        return float("inf")


def to_plain(value: Any) -> Any:
    """JSON-ready copy of nested dataclasses, mappings, sequences, arrays and paths; NaN becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def write_json(path: Path, value: Any) -> None:
    """Write whole or not at all; of several processes the first one does."""
    if not distributed.is_main():
        return
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(to_plain(value), indent=2) + "\n")
    os.replace(temporary, path)
