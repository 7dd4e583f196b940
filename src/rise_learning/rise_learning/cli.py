"""Command lines of the training commands: a preset's dataclasses as flags, every field overridable."""

from __future__ import annotations

import argparse
import difflib
import logging
import sys
from collections.abc import Callable
from typing import TypeVar

import torch
import tyro

from rise_learning.errors import ConfigError, RiseLearningError

ArgsT = TypeVar("ArgsT")


def parse(from_preset: Callable[[str], ArgsT], presets: tuple[str, ...], argv: list[str] | None = None) -> ArgsT:
    """Parse flags whose defaults are those of `--preset`.

    Args:
        from_preset: name of a preset -> instance of the command's frozen dataclass.
        presets: the valid names.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", default=presets[0])
    name = first.parse_known_args(argv)[0].preset
    if name not in presets:
        near = difflib.get_close_matches(name, presets, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"no preset {name!r}{hint} There are: {', '.join(presets)}")
    default = from_preset(name)
    return tyro.cli(type(default), default=default, args=argv, description=sys.modules["__main__"].__doc__)


def run(main: Callable[[], None]) -> None:
    """Call `main`; our own errors become one line on stderr and exit code 1, Ctrl-C exit code 130."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    from rise_robot.core.errors import RiseRobotError
    from rise_worldmodel.errors import WorldModelError

    try:
        main()
    except (RiseLearningError, RiseRobotError, WorldModelError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def use_threads(count: int) -> None:
    """Let torch use `count` CPU threads."""
    torch.set_num_threads(count)
