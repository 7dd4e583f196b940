"""Instructions as hashed words: the same numbers on every machine, no vocabulary file."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

PADDING = 0


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
