"""Watchdog over sensor streams: which are silent, late, or stamped by another clock."""

from __future__ import annotations

from collections.abc import Mapping


class StreamWatch:
    """Keeps the newest stamp of each stream.

    Args:
        max_age_s: per stream the age beyond which it counts as lost.
    """

    def __init__(self, max_age_s: Mapping[str, float]) -> None:
        self._max_age_s = dict(max_age_s)
        self._newest_ns: dict[str, int] = {}

    def feed(self, name: str, stamp_ns: int) -> None:
        """A message of stream `name` arrived; older stamps than the newest one change nothing."""
        self._newest_ns[name] = max(stamp_ns, self._newest_ns.get(name, stamp_ns))

    def ages_s(self, now_ns: int) -> dict[str, float]:
        """Age of each stream; infinite where nothing came yet, negative where the stamps run ahead."""
        return {
            name: (now_ns - self._newest_ns[name]) * 1e-9 if name in self._newest_ns else float("inf")
            for name in self._max_age_s
        }

    def fault(self, now_ns: int) -> str:
        """What is wrong with the first stream that is; "" where all are fresh."""
        for name, age in self.ages_s(now_ns).items():
            if text := staleness(name, age, self._max_age_s[name]):
                return text
        return ""


def staleness(name: str, age_s: float, max_age_s: float) -> str:
    """Why data of this age cannot be used; "" where it can. Stamps far ahead of now come from another clock."""
    if age_s == float("inf"):
        return f"no {name} yet"
    if age_s > max_age_s:
        return f"{name} older than {max_age_s:g} s"
    return f"{name} stamped in the future: the clocks differ" if age_s < -max_age_s else ""
