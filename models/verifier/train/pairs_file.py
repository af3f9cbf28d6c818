"""Labelled pairs on disk: gzip, one JSON object {"a", "b", "same", "kind"} a line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from typing import NamedTuple


class Pair(NamedTuple):
    """Two prompts; `same` when one answer serves both; `kind` names the edit that made b from a."""

    a: str
    b: str
    same: bool
    kind: str


def read_pairs(path: str) -> list[Pair]:
    """All pairs of a file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Pair(r["a"], r["b"], bool(r["same"]), r["kind"]) for r in rows]


def write_pairs(path: str, pairs: Iterable[Pair]) -> None:
    """Writes pairs; the same pairs give the same bytes."""
    text = "".join(json.dumps(p._asdict(), ensure_ascii=False) + "\n" for p in pairs)
    with open(path, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=9) as out:
        out.write(text.encode("utf-8"))
