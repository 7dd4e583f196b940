"""What a run of self-improvement has counted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

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
    learned: int = 0
    passed_over: int = 0
    online: int = 0
    offline: int = 0
    bins: list[int] = field(default_factory=list)

    @property
    def offline_share(self) -> float:
        return self.offline / max(1, self.online + self.offline)

    def state(self) -> dict[str, Tensor]:
        """As a tensor, for checkpoints and other processes."""
        text = json.dumps(vars(self)).encode()
        return {"statistics": torch.tensor(list(text), dtype=torch.uint8)}

    @classmethod
    def of(cls, state: dict[str, Tensor]) -> Statistics:
        """Inverse of `state`; other entries are ignored."""
        return cls(**json.loads(bytes(state["statistics"].tolist())))

    @classmethod
    def of_all(cls, states: list[dict[str, Tensor]]) -> Statistics:
        """What several processes have counted together."""
        every = [vars(cls.of(state)) for state in states]
        return cls(
            **{
                name: sum(each[name] for each in every)
                if isinstance(value, int)
                else np.sum([each[name] for each in every], 0).tolist()
                for name, value in every[0].items()
            }
        )

    def trusted(self, samples: OnlineSamples, kept: np.ndarray, minimum_trust: float) -> np.ndarray:
        """Those of `kept` whose imagination reaches the minimum trust; the others are counted."""
        enough = samples.trust[kept] >= minimum_trust
        self.distrusted += int((~enough).sum())
        return kept[enough]
