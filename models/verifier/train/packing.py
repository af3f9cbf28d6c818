"""Texts to padded id tensors, in the way the gateway does it: [CLS] a [SEP] b [SEP], at most 60 pieces a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from bert import teacher_folder

MAX_PIECES = 60
CLS, SEP = 101, 102

Pieces = list[int]


def tokenizer() -> Tokenizer:
    """BERT uncased WordPiece without padding or truncation of its own."""
    made = Tokenizer.from_file(str(teacher_folder() / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


def pieces_of(texts: Iterable[str]) -> list[Pieces]:
    """Piece ids of each text, without [CLS] and [SEP], cut to MAX_PIECES."""
    return [e.ids[1:-1][:MAX_PIECES] for e in tokenizer().encode_batch(list(texts))]


def pack(pairs: Sequence[tuple[Pieces, Pieces]]) -> tuple[Tensor, Tensor, Tensor]:
    """input_ids, attention_mask and token_type_ids: int64 [len(pairs), longest pair]."""
    time = max(len(a) + len(b) + 3 for a, b in pairs)
    ids = np.zeros((len(pairs), time), np.int64)
    mask = np.zeros_like(ids)
    types = np.zeros_like(ids)
    for row, (a, b) in enumerate(pairs):
        line = [CLS, *a, SEP, *b, SEP]
        ids[row, : len(line)] = line
        mask[row, : len(line)] = 1
        types[row, len(a) + 2 : len(line)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(types)


def by_length(a: Sequence[Pieces], b: Sequence[Pieces]) -> list[int]:
    """Order of pairs from short to long, so that a batch holds little padding."""
    return [int(i) for i in np.argsort([len(x) + len(y) for x, y in zip(a, b, strict=True)], kind="stable")]
