"""Published weights of metrics, which no package ships: from a local directory, refused by name where they are not."""

from __future__ import annotations

import pickle
from pathlib import Path
from zipfile import BadZipFile

import torch
from torch import Tensor

from rise_worldmodel.errors import CheckpointError


def weight_file(directory: Path, pattern: str, what: str) -> Path:
    """The one file of `directory` that matches `pattern`. Raises CheckpointError naming `what` is to be put there."""
    if not directory.is_dir():
        raise CheckpointError(f"{directory} is no directory; put {what} there")
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise CheckpointError(
            f"{directory} holds {[file.name for file in found]} for {pattern}; expected one file, {what}"
        )
    return found[0]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A .pth state dict, read without running code of the file. Raises CheckpointError where it is none."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, BadZipFile, pickle.UnpicklingError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise CheckpointError(f"{path} holds {type(tensors).__name__}, expected a state dict of tensors")
    return tensors
