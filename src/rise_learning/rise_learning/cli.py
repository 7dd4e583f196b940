"""Command lines of the training commands: a preset's dataclasses as flags, every field overridable."""

from __future__ import annotations

import argparse
import ctypes
import difflib
import logging
import platform
import sys
from collections.abc import Callable
from typing import TypeVar

import torch
import tyro

from rise_learning.errors import ConfigError, RiseLearningError

ArgsT = TypeVar("ArgsT")

# of malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3


def parse(
    from_preset: Callable[..., ArgsT],
    presets: tuple[str, ...],
    argv: list[str] | None = None,
    **choices: tuple[str, ...],
) -> ArgsT:
    """Parse flags whose defaults are those of `--preset`.

    Args:
        from_preset: name of a preset (and of each of `choices`) -> instance of the command's frozen dataclass.
        presets: the valid names.
        choices: valid values of further flags that decide the defaults, the default value first.
    """
    known = {"preset": presets, **choices}
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag, names in known.items():
        first.add_argument(f"--{flag}", default=names[0])
    chosen = vars(first.parse_known_args(argv)[0])
    for flag, names in known.items():
        if chosen[flag] not in names:
            near = difflib.get_close_matches(chosen[flag], names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"no {flag} {chosen[flag]!r}{hint} There are: {', '.join(names)}")
    default = from_preset(chosen.pop("preset"), **chosen)
    return tyro.cli(type(default), default=default, args=argv, description=sys.modules["__main__"].__doc__)


def run(main: Callable[[], None]) -> None:
    """Call `main`; our own errors become one line on stderr and exit code 1, Ctrl-C exit code 130.

    Processes of one training leave together.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    from rise_learning.training import distributed
    from rise_robot.core.errors import RiseRobotError
    from rise_worldmodel.errors import WorldModelError

    try:
        main()
        distributed.leave()
    except (RiseLearningError, RiseRobotError, WorldModelError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def use_threads(count: int) -> None:
    """Let torch use `count` CPU threads, and glibc keep what they free.

    By default glibc maps every tensor of more than some megabytes anew, and the kernel clears its pages: a quarter of
    the time of a training step of `small`. Other C libraries are left as they are.
    """
    torch.set_num_threads(count)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(parameter, 2**30)
