"""Scores pairs with an ONNX verifier: the smaller logit of both orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from packing import by_length, pack, pieces_of
from pairs_file import Pair

NAMES = ("input_ids", "attention_mask", "token_type_ids")


def session(path: str, threads: int = 1) -> ort.InferenceSession:
    """A CPU session with a fixed number of threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def scores(model: ort.InferenceSession, pairs: Sequence[Pair], batch: int = 32) -> np.ndarray:
    """float32 [len(pairs)]: min(logit(a, b), logit(b, a))."""
    a, b = pieces_of(p.a for p in pairs), pieces_of(p.b for p in pairs)
    order, found = by_length(a, b), np.zeros(len(pairs), np.float32)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        both = []
        for left, right in ((a, b), (b, a)):
            tensors = pack([(left[i], right[i]) for i in rows])
            both.append(model.run(None, {n: t.numpy() for n, t in zip(NAMES, tensors, strict=True)})[0])
        found[rows] = np.minimum(*both)
    return found
