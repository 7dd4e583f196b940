"""What a run of self-improvement has counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rise_learning.rl.imagination import OnlineSamples


@dataclass
class Statistics:
    """Counters of a run; integers, so that they add up exactly over a resume."""

    imagined: int = 0
    distrusted: int = 0
    clipped: int = 0
    episodes: int = 0
    episodes_alone: int = 0
    episodes_corrected: int = 0
    episodes_ended_well: int = 0
    passed_over: int = 0
    online: int = 0
    offline: int = 0
    bins: list[int] = field(default_factory=list)

    @property
    def offline_share(self) -> float:
        return self.offline / max(1, self.online + self.offline)

    def trusted(self, samples: OnlineSamples, kept: np.ndarray, minimum_trust: float) -> np.ndarray:
        """Those of `kept` whose imagination reaches the minimum trust; the others are counted."""
        enough = samples.trust[kept] >= minimum_trust
        self.distrusted += int((~enough).sum())
        return kept[enough]
