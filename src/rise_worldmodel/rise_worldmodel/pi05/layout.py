"""Key names of published pi0.5 weights (openpi's PyTorch export, lerobot's checkpoints) in terms of ours."""

from __future__ import annotations

import re

PALIGEMMA, EXPERT = "paligemma_with_expert.paligemma.", "paligemma_with_expert.gemma_expert."
PROJECTIONS = ("action_in_proj.", "action_out_proj.", "time_mlp_in.", "time_mlp_out.")
FRESH = ("bin_embedding.",)
"""Ours alone: pi0.5 is not conditioned on advantages."""

_RULES = (
    (re.escape(PALIGEMMA) + r"model\.vision_tower\.(?:vision_model\.)?", "backbone.vision_tower."),
    (re.escape(PALIGEMMA) + r"model\.multi_modal_projector\.", "backbone.multi_modal_projector."),
    (re.escape(PALIGEMMA) + r"model\.language_model\.", "backbone.language_model."),
    (re.escape(PALIGEMMA) + r"lm_head\.", "backbone.language_model.embed_tokens."),  # tied; exports keep either name
    (re.escape(EXPERT) + r"model\.", "expert."),
)


def to_ours(key: str) -> str | None:
    """Our name of a published key; None for the expert's output head over words, which nothing reads.

    lerobot prefixes every key of its own checkpoints with `model.`. Unknown keys come back as they are.
    """
    key = re.sub(rf"^model\.(?=paligemma_with_expert\.|{'|'.join(map(re.escape, PROJECTIONS))})", "", key)
    if key == EXPERT + "lm_head.weight":
        return None
    for pattern, ours in _RULES:
        renamed, count = re.subn("^" + pattern, ours, key)
        if count:
            return renamed
    return key


def backbone_only(key: str) -> str | None:
    """The same for a model that is the backbone and no expert: names without `backbone.`, None for the expert's."""
    ours = to_ours(key)
    if ours is None or ours.startswith(("expert.", *PROJECTIONS)):
        return None
    return ours.removeprefix("backbone.")
