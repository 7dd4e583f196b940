"""Importers: recordings in other formats -> episodes of a contract; one module per format."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from rise_learning.data.importers.droid import DroidSource
from rise_learning.data.importers.recording import RecordingSource
from rise_learning.errors import ConfigError
from rise_robot.core.contract import Contract

FORMATS: dict[str, tuple[str, Callable[[Path, Contract], RecordingSource]]] = {
    "droid": ("contract_droid.yaml", DroidSource),
}
"""Name -> (default contract in config/, the source's class)."""


def get_format(name: str) -> tuple[str, Callable[[Path, Contract], RecordingSource]]:
    """(default contract, source class) of a format. Raises ConfigError naming the formats there are."""
    if name not in FORMATS:
        near = difflib.get_close_matches(name.lower(), FORMATS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ConfigError(f"no recording format {name!r}{hint} There are: {', '.join(FORMATS)}")
    return FORMATS[name]
