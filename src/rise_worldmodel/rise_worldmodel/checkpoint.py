"""Checkpoints of one model: a safetensors file that carries its configuration, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rise_worldmodel.config import Config, DynamicsConfig, ValueConfig
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import CheckpointError
from rise_worldmodel.pi05.tokenizer import load_tokenizer
from rise_worldmodel.pi05.value import Pi05Value, Pi05ValueConfig
from rise_worldmodel.pretrained import compare_keys
from rise_worldmodel.value import ValueFunction, ValueModel

HEADER_BYTES = 8
"""Length, and alignment, of the header of a safetensors file."""
_CONFIGS: dict[str, type[Config]] = {"dynamics": DynamicsConfig, "value": ValueConfig, "pi05_value": Pi05ValueConfig}


def save_model(
    path: str | Path,
    model: MultiViewDynamics | ValueFunction,
    *,
    metadata: dict[str, str] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights and configuration to `path` (.safetensors), and beside it what the model keeps elsewhere.

    Args:
        metadata: texts of the caller, for example the robot's contract; returned by `read_metadata`.
        dtype: of the stored weights, torch.float16 to halve the file; loading always gives float32.
    """
    kind = next(name for name, config in _CONFIGS.items() if isinstance(model.config, config))
    tensors = {name: _stored(tensor, dtype) for name, tensor in model.state_dict().items()}
    texts = {"kind": kind, "config": json.dumps(model.config.to_dict()), **(metadata or {})}
    write_atomically(Path(path), _in_order(save(tensors, metadata=texts)))
    if isinstance(model, ValueFunction):
        model.save_assets(Path(path).parent)


def load_model(path: str | Path) -> MultiViewDynamics | ValueFunction:
    """The model of `save_model`, in evaluation mode. Raises CheckpointError naming every key that does not fit."""
    metadata = read_metadata(path)
    if metadata.get("kind") not in _CONFIGS:
        raise CheckpointError(f"{path} holds {metadata.get('kind')!r}, expected one of {sorted(_CONFIGS)}")
    model = _build(_CONFIGS[metadata["kind"]].from_dict(json.loads(metadata["config"])), Path(path).parent)
    load_weights(model, _tensors(path), source=str(path))
    return model.eval()


def _build(config: Config, directory: Path) -> MultiViewDynamics | ValueFunction:
    """A model of this configuration; `directory` holds what it keeps beside its weights."""
    if isinstance(config, DynamicsConfig):
        return MultiViewDynamics(config)
    if isinstance(config, Pi05ValueConfig):
        return Pi05Value(config, load_tokenizer(directory, config.architecture))
    assert isinstance(config, ValueConfig)
    return ValueModel(config)


def load_weights(model: nn.Module, tensors: dict[str, Tensor], *, source: str) -> None:
    """Copy `tensors` into `model`; every missing, unexpected and mis-shaped key is reported in one CheckpointError."""
    own, found = ({name: tuple(t.shape) for name, t in part.items()} for part in (model.state_dict(), tensors))
    compare_keys(own, found).require_fit(source)
    model.load_state_dict(tensors)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Texts of a checkpoint: kind, config (JSON) and whatever the caller embedded."""
    try:
        with safe_open(str(path), "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: after a crash at any moment the old or the new file is there, complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _in_order(content: bytes) -> bytes:
    """The same safetensors file with its header, which comes out of a hash map in any order, sorted: the same model is
    the same bytes, by whose digest what was built on it knows it."""
    begins = HEADER_BYTES + int.from_bytes(content[:HEADER_BYTES], "little")
    header = json.dumps(json.loads(content[HEADER_BYTES:begins]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % HEADER_BYTES)  # the format keeps tensors aligned
    return len(header).to_bytes(HEADER_BYTES, "little") + header + content[begins:]


def _tensors(path: str | Path) -> dict[str, Tensor]:
    with safe_open(str(path), "pt") as file:
        return {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return (tensor if dtype is None else tensor.to(dtype)).contiguous()
