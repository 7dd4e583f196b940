"""Dynamics that are trained to show what matters: the value model should read imagined frames as it reads true ones.

A squared error of pixels draws a brick that may or may not be held as a smear, which says nothing to the value model;
the few pixels by which success differs from failure weigh nothing in it. Beyond the paper, which trains the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rise_worldmodel.value import ValueFunction

FRAMES = 5
"""Frames of every chunk that are compared, the last one among them."""
FEATURE_SHARE = 0.1
"""Weight of the squared error of features, in units of their variance, beside that of values."""
LEAST_VARIANCE = 0.05
"""Added to the variance of a feature: one that is the same in a whole batch has nothing to say."""


class ValueConsistency:
    """Squared difference between what `value` says of imagined and of true frames, and between its features.

    Args:
        value: frozen here.
        weight: of the whole in the dynamics' loss.
    """

    def __init__(self, value: ValueFunction, weight: float) -> None:
        self.value, self.weight = value.eval().requires_grad_(False), weight

    def __call__(
        self,
        imagined: Tensor,
        true: Tensor,
        instructions: Tensor | Sequence[str],
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Of B chunks.

        Args:
            imagined: (B, F, V, H, W, 3) floating point intensities of 0..255.
            true: (B, F, V, H, W, 3) uint8.
            instructions: B strings, or their `encode_text`.
            generator: draws the frames that are compared.

        Returns:
            `value_error`, mean square; `feature_error`, likewise in units of variance; `loss`, the weighted sum.
        """
        count = imagined.shape[1]
        others = torch.randperm(count - 1, generator=generator)[: FRAMES - 1]
        chosen = torch.cat([others, torch.tensor([count - 1])])
        words = self.value.encode_text(instructions)
        each = None if words is None else words.repeat_interleave(len(chosen), 0)
        with torch.no_grad():
            wanted = self.value(true[:, chosen].flatten(0, 1), each)
        found = self.value(imagined[:, chosen].flatten(0, 1), each)
        value_error = (found.value - wanted.value).square().mean()
        spread = wanted.features.var(0) + LEAST_VARIANCE
        feature_error = ((found.features - wanted.features).square().mean(0) / spread).mean()
        return {
            "value_error": value_error,
            "feature_error": feature_error,
            "loss": self.weight * (value_error + FEATURE_SHARE * feature_error),
        }
