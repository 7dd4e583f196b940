"""The prompt: the one place where instruction and advantage bin become what the policy reads (Sec. III-B)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

NO_BIN = 0
"""Unconditional: the label is left out (classifier-free guidance)."""
PROMPT_BYTES = 96


def build_prompt(instruction: str, advantage_bin: int) -> str:
    """Text of the prompt, e.g. `Advantage: 10. Task: sort the bricks.`; bin 0 leaves the advantage out."""
    task = f"Task: {instruction.strip().rstrip('.')}."
    return task if advantage_bin == NO_BIN else f"Advantage: {advantage_bin}. {task}"


@lru_cache(maxsize=4096)
def _tokens(instruction: str, advantage_bin: int) -> np.ndarray:
    raw = build_prompt(instruction, advantage_bin).encode()[:PROMPT_BYTES]
    return np.frombuffer(raw.ljust(PROMPT_BYTES, b"\0"), dtype=np.uint8).astype(np.int64)


def tokenize_prompts(instructions: list[str], bins: np.ndarray) -> np.ndarray:
    """(B, PROMPT_BYTES) int64 byte tokens, 0 is padding."""
    return np.stack([_tokens(text, int(label)) for text, label in zip(instructions, bins, strict=True)])


def build_state_prompt(instruction: str, advantage_bin: int, state: np.ndarray) -> str:
    """pi0.5's prompt, e.g. `Advantage: 10. Task: sort the bricks, State: 127 3 255;\\nAction: `.

    Args:
        state: (A,) int, the normalised joint positions as numbers of 256 equal bins over [-1, 1].
    """
    task = instruction.strip().rstrip(".").replace("_", " ").replace("\n", " ")
    given = "" if advantage_bin == NO_BIN else f"Advantage: {advantage_bin}. "
    return f"{given}Task: {task}, State: {' '.join(map(str, state))};\nAction: "


def discretize_state(state: np.ndarray) -> np.ndarray:
    """(B, A) normalised to [-1, 1] over the data -> (B, A) int bin of 0..255; the outer bins take what lies outside.

    The chunk itself is never clipped; only this description of the state saturates, as in pi0.5.
    """
    return np.clip(np.floor((state + 1.0) * 128.0), 0, 255).astype(np.int64)
