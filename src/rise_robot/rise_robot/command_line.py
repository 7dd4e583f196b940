"""What the commands of this package have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rise_robot.core.errors import RiseRobotError


def explained(work: Callable[[], None], failure: int = 1) -> int:
    """Exit code of `work`: 0, or `failure` where an error of ours ended it, which is then told in one line."""
    try:
        work()
    except RiseRobotError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return failure
    return 0
