"""Importers: recordings in other formats -> episodes of a contract; one module per format."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from rise_learning.data.importers.bridge import BridgeSource
from rise_learning.data.importers.droid import DroidSource
from rise_learning.data.importers.lerobot import LerobotSource
from rise_learning.data.importers.recording import RecordingSource
from rise_learning.errors import ConfigError
from rise_robot.core.contract import Contract

OpenSource = Callable[[Path, Contract, Path | None], RecordingSource]
"""From (directory, contract, mapping file or None)."""
FORMATS: dict[str, tuple[str | None, OpenSource]] = {
    "bridge": ("contract_bridge.yaml", BridgeSource),
    "droid": ("contract_droid.yaml", DroidSource),
    "lerobot": (None, LerobotSource),
}
"""Name -> (default contract in config/, if the format decides it; the source's class)."""


def get_format(name: str) -> tuple[str | None, OpenSource]:
    """(default contract or None, source class) of a format. Raises ConfigError naming the formats there are."""
    if name not in FORMATS:
        near = difflib.get_close_matches(name.lower(), FORMATS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ConfigError(f"no recording format {name!r}{hint} There are: {', '.join(FORMATS)}")
    return FORMATS[name]
