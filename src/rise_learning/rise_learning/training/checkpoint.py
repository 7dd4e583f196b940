"""Training checkpoints: safetensors only, written whole or not at all, the last two kept."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rise_learning.errors import CheckpointError

KEEP = 2


def save_checkpoint(root: Path, step: int, sections: dict[str, dict[str, Tensor]], meta: dict[str, Any]) -> Path:
    """Write `root/step_XXXXXXXX/{section}.safetensors, meta.json` atomically (temporary directory, then rename)."""
    root.mkdir(parents=True, exist_ok=True)
    final = root / f"step_{step:08d}"
    temporary = root / f".tmp_{step:08d}_{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name, tensors in sections.items():
        save_file(
            {key: tensor.detach().contiguous().clone() for key, tensor in tensors.items()},
            temporary / f"{name}.safetensors",
        )
    (temporary / "meta.json").write_text(json.dumps({"step": step, **meta}))
    for file in temporary.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    shutil.rmtree(final, ignore_errors=True)
    os.rename(temporary, final)
    for old in _found(root)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    for leftover in root.glob(".tmp_*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return final


def has_checkpoint(root: Path) -> bool:
    """Whether there is one below `root` to go on from."""
    return bool(_found(root))


def load_latest(root: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
    """Newest checkpoint below `root` as (sections, meta), or None when there is none.

    Raises:
        CheckpointError: a checkpoint is there and cannot be read.
    """
    found = _found(root)
    if not found:
        return None
    try:
        sections = {file.stem: load_file(file) for file in sorted(found[-1].glob("*.safetensors"))}
        return sections, json.loads((found[-1] / "meta.json").read_text())
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{found[-1]} cannot be read ({error}); delete it to resume from the one before"
        ) from error


def _found(root: Path) -> list[Path]:
    """Checkpoints below `root`, the newest last."""
    return sorted(root.glob("step_*"))


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Optimizer state as named tensors `index.name`, fit for safetensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value) for index, slots in state.items() for name, value in slots.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Inverse of flatten_optimizer, into an optimizer of the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    (group,) = optimizer.param_groups
    plain = {**group, "params": list(range(len(group["params"])))}
    optimizer.load_state_dict({"state": state, "param_groups": [plain]})
    _steps_to_their_parameters(getattr(optimizer, "optim", optimizer))


def _steps_to_their_parameters(optimizer: torch.optim.Optimizer) -> None:
    """ZeRO leaves the counts of steps on the CPU, which fused AdamW on a GPU refuses (pytorch issue 124133)."""
    for parameter, slots in optimizer.state.items():
        if "step" in slots:
            slots["step"] = slots["step"].to(parameter.device)
