"""Published weights from a local directory: every key is accounted for before a single tensor is copied."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from rise_worldmodel.errors import CheckpointError

Shapes = Mapping[str, tuple[int, ...]]
Rename = Callable[[str], str | None]
"""Published key -> our key; None for a key that is known and that our model does without."""


@dataclass(frozen=True)
class KeyReport:
    """How published keys and ours compare.

    Attributes:
        matched: our keys that the file fills.
        missing: our keys that the file lacks.
        unexpected: keys of the file that nobody knows.
        mis_shaped: our keys with both shapes.
        fresh: our keys that no published file has; they keep their initialisation.
        unused: keys of the file that our model does without on purpose.
    """

    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mis_shaped: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        return not (self.missing or self.unexpected or self.mis_shaped)

    def require_fit(self, source: str) -> None:
        """Raises CheckpointError that names every key that does not fit."""
        if not self.fits:
            lists = ("missing", "unexpected", "mis_shaped")
            lines = [f"\n  {name.replace('_', '-')}: {list(getattr(self, name))}" for name in lists]
            raise CheckpointError(f"{source} does not fit the model:{''.join(lines)}")

    def __str__(self) -> str:
        return (
            f"{len(self.matched)} keys loaded, {len(self.fresh)} fresh {_some(self.fresh)}, "
            f"{len(self.unused)} unused {_some(self.unused)}"
        )


def compare_keys(own: Shapes, found: Shapes, *, fresh: tuple[str, ...] = (), unused: tuple[str, ...] = ()) -> KeyReport:
    """Report on `found`, named as ours already.

    Args:
        own, found: name -> shape.
        fresh: prefixes of our keys that may be missing.
        unused: passed through to the report.
    """
    absent, shared = sorted(set(own) - set(found)), sorted(set(own) & set(found))
    new = tuple(name for name in absent if name.startswith(fresh))
    return KeyReport(
        matched=tuple(name for name in shared if own[name] == found[name]),
        missing=tuple(name for name in absent if name not in new),
        unexpected=tuple(sorted(set(found) - set(own))),
        mis_shaped=tuple(
            f"{name}: {found[name]} in the file, {own[name]} in the model"
            for name in shared
            if own[name] != found[name]
        ),
        fresh=new,
        unused=unused,
    )


class WeightFiles:
    """Names, shapes and, one by one, tensors of a safetensors file or of a directory with one file or a sharded index.

    Raises:
        CheckpointError: nothing there, several candidates, or unreadable.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file_of: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for file in _files(self.path):
            try:
                with safe_open(str(file), "pt") as stream:
                    for name in stream.keys():  # noqa: SIM118
                        self._file_of[name] = file
                        self.shapes[name] = tuple(stream.get_slice(name).get_shape())
            except (OSError, SafetensorError) as error:
                raise CheckpointError(f"cannot read {file}: {error}") from error

    def tensor(self, name: str) -> Tensor:
        with safe_open(str(self._file_of[name]), "pt") as stream:
            return stream.get_tensor(name)


def check_pretrained(model: nn.Module, path: str | Path, rename: Rename, *, fresh: tuple[str, ...] = ()) -> KeyReport:
    """Report on published weights without reading them; `model` may live on the meta device."""
    return _match(model, WeightFiles(path), rename, fresh)[0]


@torch.no_grad()
def load_pretrained(model: nn.Module, path: str | Path, rename: Rename, *, fresh: tuple[str, ...] = ()) -> KeyReport:
    """Copy published weights into `model`, tensor by tensor.

    Args:
        rename: of the file's layout.
        fresh: prefixes of our keys that published weights lack and that keep their initialisation.

    Raises:
        CheckpointError: any key is missing, unexpected or mis-shaped, or two keys of one meaning differ.
    """
    files = WeightFiles(path)
    report, sources = _match(model, files, rename, fresh)
    report.require_fit(str(path))
    own = model.state_dict()
    for name, published in sources.items():
        tensor = files.tensor(published[0])
        for other in published[1:]:
            if not torch.equal(tensor, files.tensor(other)):
                raise CheckpointError(f"{path}: {published[0]} and {other} mean {name}, but differ")
        own[name].copy_(tensor)
    return report


def _match(
    model: nn.Module, files: WeightFiles, rename: Rename, fresh: tuple[str, ...]
) -> tuple[KeyReport, dict[str, list[str]]]:
    """The report, and our key -> its published keys (several where published weights are tied)."""
    sources: dict[str, list[str]] = {}
    unused = []
    for name in sorted(files.shapes):
        ours = rename(name)
        if ours is None:
            unused.append(name)
        else:
            sources.setdefault(ours, []).append(name)
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {ours: files.shapes[published[0]] for ours, published in sources.items()}
    return compare_keys(own, found, fresh=fresh, unused=tuple(unused)), sources


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    indices = sorted(path.glob("*.safetensors.index.json"))
    if len(indices) == 1:
        named = set(json.loads(indices[0].read_text())["weight_map"].values())
        lost = sorted(name for name in named if not (path / name).is_file())
        if lost:
            raise CheckpointError(f"{indices[0]} names {lost}, which are not there")
        return [path / name for name in sorted(named)]
    files = sorted(path.glob("*.safetensors"))
    if len(files) != 1 or indices:
        raise CheckpointError(
            f"{path} holds {[file.name for file in [*indices, *files]]}; expected one .safetensors file, "
            "or one .safetensors.index.json with its shards"
        )
    return files


def _some(names: tuple[str, ...]) -> str:
    return f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
