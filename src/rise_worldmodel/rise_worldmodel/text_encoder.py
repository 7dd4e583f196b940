"""Embeddings of instructions by the T5 encoder that LTX-Video and GE-Base read, from local directories, made once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from rise_worldmodel.errors import CheckpointError, ConfigError
from rise_worldmodel.pretrained import load_pretrained

TOKENIZER, WEIGHTS = Path("tokenizer/tokenizer.json"), Path("text_encoder")
MAX_TOKENS = 128
"""That GE-Base reads of an instruction."""
END = "</s>"
logger = logging.getLogger(__name__)


@torch.no_grad()
def embed_texts(directory: str | Path, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """(N, L, d) embeddings of `texts`, zeros behind their ends, and (N,) int64 their tokens, the end token included.

    Args:
        directory: with `text_encoder/` (config.json and weights, as in the folder of LTX-Video) and
            `tokenizer/tokenizer.json` (as published with T5).

    Raises:
        CheckpointError: a file is missing, or the weights do not fit.
        ConfigError: a text is too long. Nothing is cut off.
    """
    root = Path(directory)
    for path in (root / TOKENIZER, root / WEIGHTS / "config.json"):
        if not path.is_file():
            raise CheckpointError(f"{path} is missing; expected {WEIGHTS}/ of LTX-Video beside {TOKENIZER} of T5")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(root / TOKENIZER))
    model = T5EncoderModel(T5Config.from_json_file(str(root / WEIGHTS / "config.json"))).eval()
    tied = ("encoder.embed_tokens.",)  # the same tensor as `shared`, under which it is published
    logger.info("%s: %s", root, load_pretrained(model, root / WEIGHTS, lambda key: key, fresh=tied))
    rows = [_tokens(tokenizer, text) for text in texts]
    found = [model(input_ids=torch.tensor([row])).last_hidden_state[0] for row in rows]
    table = torch.nn.utils.rnn.pad_sequence(found, batch_first=True)
    return table.float(), torch.tensor([len(row) for row in rows])


def _tokens(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    row = tokenizer.encode(text, add_special_tokens=False) + [tokenizer.convert_tokens_to_ids(END)]
    if len(row) > MAX_TOKENS:
        raise ConfigError(f"an instruction of {len(row)} tokens; GE-Base reads {MAX_TOKENS}: {text!r}")
    return row
