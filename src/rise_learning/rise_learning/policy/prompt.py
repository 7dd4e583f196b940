"""The prompt: the one place where instruction and advantage bin become what the policy reads (Sec. III-B)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

NO_BIN = 0
"""Unconditional: the label is left out (classifier-free guidance)."""
PROMPT_BYTES = 96


def build_prompt(instruction: str, advantage_bin: int) -> str:
    """Text of the prompt, e.g. `Task: sort the bricks. Advantage: 10.`; bin 0 leaves the advantage out."""
    task = f"Task: {instruction.strip().rstrip('.')}."
    return task if advantage_bin == NO_BIN else f"Advantage: {advantage_bin}. {task}"


@lru_cache(maxsize=4096)
def _tokens(instruction: str, advantage_bin: int) -> np.ndarray:
    raw = build_prompt(instruction, advantage_bin).encode()[:PROMPT_BYTES]
    return np.frombuffer(raw.ljust(PROMPT_BYTES, b"\0"), dtype=np.uint8).astype(np.int64)


def tokenize_prompts(instructions: list[str], bins: np.ndarray) -> np.ndarray:
    """(B, PROMPT_BYTES) int64 byte tokens, 0 is padding."""
    return np.stack([_tokens(text, int(label)) for text, label in zip(instructions, bins, strict=True)])
