"""In which order managed (lifecycle) nodes are brought up and taken down, and what happens when one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rise_robot.core.errors import LaunchError

UP = ("configure", "activate")


class StartOrder:
    """All nodes are configured before the first one is activated: nothing moves before everything has been found.

    Attributes:
        active: names, in the order of their activation.

    Args:
        names: in the order of the start.
        change: `change(name, transition)` carries out a transition; what went wrong in words, empty where nothing did.
    """

    def __init__(self, names: Sequence[str], change: Callable[[str, str], str]) -> None:
        self._names, self._change = tuple(names), change
        self.active: list[str] = []

    def up(self) -> None:
        """Configure all, then activate all. Raises LaunchError naming who failed; the others are then inactive."""
        for transition in UP:
            for name in self._names:
                if fault := self._change(name, transition):
                    left = "; ".join(self.down())
                    raise LaunchError(f"{name} did not {transition}: {fault}{'; ' if left else ''}{left}")
                if transition == "activate":
                    self.active.append(name)

    def down(self) -> list[str]:
        """Deactivate, last activated first: who commands ends before what obeys him. Returns what went wrong."""
        faults = []
        while self.active:
            name = self.active.pop()
            if fault := self._change(name, "deactivate"):
                faults.append(f"{name} did not deactivate: {fault}")
        return faults
