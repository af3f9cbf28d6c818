"""The shipped form of the embedder: int8 rows with a scale each. The embedding is the normalised sum of the rows."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer

DIMENSIONS = 256
PIECES = 30522
MAX_PIECES = 254
UNKNOWN = 100


def tokenizer(teacher: pathlib.Path) -> Tokenizer:
    """BERT uncased WordPiece without padding or truncation of its own."""
    made = Tokenizer.from_file(str(teacher / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


def pieces_of(texts: Iterable[str], wordpiece: Tokenizer) -> list[np.ndarray]:
    """int64 ids of each text without [CLS] and [SEP]; one unknown piece where there is none."""
    return [np.array(e.ids[1:-1][:MAX_PIECES] or [UNKNOWN], np.int64) for e in wordpiece.encode_batch(list(texts))]


def bags(ids: list[np.ndarray], table: np.ndarray) -> np.ndarray:
    """Normalised sums of rows: float32 [len(ids), dimensions]."""
    out = np.zeros((len(ids), table.shape[1]), np.float32)
    for row, pieces in enumerate(ids):
        out[row] = table[pieces].sum(0)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def quantise(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 [pieces, dimensions] and float32 [pieces]: one scale for each row."""
    scale = np.maximum(np.abs(table).max(1) / 127, 1e-12).astype(np.float32)
    return np.round(table / scale[:, None]).astype(np.int8), scale


def load(folder: pathlib.Path) -> np.ndarray:
    """The shipped table as float32 [pieces, dimensions]."""
    rows = np.fromfile(folder / "static-256.int8", np.int8).reshape(PIECES, DIMENSIONS)
    scales = np.fromfile(folder / "static-256.scale.f32", "<f4")
    return rows.astype(np.float32) * scales[:, None]


def save(folder: pathlib.Path, table: np.ndarray) -> None:
    """Writes static-256.int8 and static-256.scale.f32."""
    rows, scales = quantise(table)
    folder.mkdir(parents=True, exist_ok=True)
    rows.tofile(folder / "static-256.int8")
    scales.astype("<f4").tofile(folder / "static-256.scale.f32")


def rare_bits(ids: Iterable[np.ndarray], seen_enough: int = 3) -> np.ndarray:
    """uint8 [ceil(pieces / 8)]: bit (id & 7) of byte (id >> 3) is 1 where fewer than `seen_enough` texts have the piece."""
    count = np.zeros(PIECES, np.int64)
    for pieces in ids:
        count[np.unique(pieces)] += 1
    bits = np.zeros((PIECES + 7) // 8, np.uint8)
    for piece in np.flatnonzero(count < seen_enough):
        bits[piece >> 3] |= 1 << (piece & 7)
    return bits
