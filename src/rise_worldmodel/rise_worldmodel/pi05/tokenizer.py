"""Prompts to tokens: PaliGemma's tokenizer from a local tokenizer.json, or bytes where no file is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from rise_worldmodel.errors import CheckpointError, ConfigError
from rise_worldmodel.pi05.config import Pi05Config

TOKENIZER = "tokenizer.json"
PADDING, BYTE_BEGIN, BYTE_OFFSET = 0, 2, 4
BYTE_VOCABULARY = BYTE_OFFSET + 256


class Tokenizer(Protocol):
    """Text to token numbers, a begin token first; 0 is padding."""

    def encode(self, text: str) -> list[int]: ...

    def save(self, directory: Path) -> None:
        """Put what `load_tokenizer` needs beside a checkpoint."""


class ByteTokenizer:
    """One token a byte; needs no file, knows no words."""

    def encode(self, text: str) -> list[int]:
        return [BYTE_BEGIN, *(BYTE_OFFSET + byte for byte in text.encode())]

    def save(self, directory: Path) -> None:
        (directory / TOKENIZER).unlink(missing_ok=True)


class FileTokenizer:
    """The tokenizer of a `tokenizer.json`, as PaliGemma publishes it."""

    def __init__(self, path: Path) -> None:
        self._content = path.read_text()
        self._tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path))
        self._begin = self._tokenizer.convert_tokens_to_ids("<bos>")
        if self._begin is None:
            raise CheckpointError(f"{path} has no token <bos>; expected the tokenizer.json of PaliGemma")

    def encode(self, text: str) -> list[int]:
        return [self._begin, *self._tokenizer.encode(text, add_special_tokens=False)]

    def save(self, directory: Path) -> None:
        (directory / TOKENIZER).write_text(self._content)


def load_tokenizer(directory: str | Path | None, config: Pi05Config) -> Tokenizer:
    """The tokenizer.json of `directory`; bytes where there is none and the model embeds no more than bytes.

    Raises:
        ConfigError: a model of words has no tokenizer.json.
    """
    path = None if directory is None else Path(directory) / TOKENIZER
    if path is not None and path.is_file():
        return FileTokenizer(path)
    if config.vocabulary > BYTE_VOCABULARY:
        raise ConfigError(
            f"a model of {config.vocabulary} words needs PaliGemma's {TOKENIZER} in {directory or 'its directory'}"
        )
    return ByteTokenizer()


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], config: Pi05Config) -> tuple[Tensor, Tensor]:
    """(B, L) int64 tokens padded with 0, and (B, L) bool, False for padding.

    Raises:
        ConfigError: a text is longer than the model reads, or has a token that it does not embed. Nothing is cut off.
    """
    rows = [tokenizer.encode(text) for text in texts]
    for row, text in zip(rows, texts, strict=True):
        if len(row) > config.max_tokens or max(row) >= config.vocabulary:
            raise ConfigError(
                f"prompt of {len(row)} tokens up to number {max(row)}; the model reads {config.max_tokens} below "
                f"{config.vocabulary}: {text!r}"
            )
    length = max(len(row) for row in rows)
    tokens = torch.tensor([row + [PADDING] * (length - len(row)) for row in rows])
    return tokens, torch.arange(length) < torch.tensor([[len(row)] for row in rows])
