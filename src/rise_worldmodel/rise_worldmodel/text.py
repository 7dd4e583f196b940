"""Instructions as hashed words: the same numbers on every machine, no vocabulary file."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

from rise_worldmodel.errors import ConfigError

PADDING = 0


def instruction_numbers(instructions: Sequence[str], texts: tuple[str, ...], vocabulary: int) -> Tensor:
    """What dynamics conditioned on an instruction read: (B, 1) its place among `texts`, or (B, L) hashed words.

    Raises:
        ConfigError: `texts` lack an instruction.
    """
    if not texts:
        return hashed_words(instructions, vocabulary)
    if unknown := sorted(set(instructions) - set(texts)):
        raise ConfigError(f"this model has no embedding of {unknown}; it was trained on {list(texts)}")
    return torch.tensor([[texts.index(text)] for text in instructions])


def hashed_words(instructions: Sequence[str], vocabulary: int) -> Tensor:
    """(B, L) int64 in 1..vocabulary - 1, padded with 0: words and word pairs of each instruction, lower case."""
    rows = [[_bucket(token, vocabulary) for token in _tokens(text)] for text in instructions]
    length = max([len(row) for row in rows], default=0) or 1
    return torch.tensor([row + [PADDING] * (length - len(row)) for row in rows], dtype=torch.int64)


def _tokens(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return words + [f"{first} {second}" for first, second in itertools.pairwise(words)]


def _bucket(token: str, vocabulary: int) -> int:
    return 1 + zlib.crc32(token.encode()) % (vocabulary - 1)
