"""Where published weights are: a local directory that the user names; nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

from rise_learning.errors import ConfigError

RANDOM = "random"


def published_directory(choice: str, flag: str, what: str) -> Path | None:
    """The directory (or file) of published weights; None for `random`, which begins without.

    Raises:
        ConfigError: nothing was named, so that nobody trains a large model from nothing by accident; or not there.
    """
    if choice == RANDOM:
        return None
    if not choice:
        raise ConfigError(f"{flag}: name the local directory of {what}, or `{RANDOM}` to begin without weights")
    if not Path(choice).exists():
        raise ConfigError(f"{flag} {choice} does not exist; expected {what}")
    return Path(choice)
