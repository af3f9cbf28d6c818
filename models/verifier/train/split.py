"""Which part of the data a prompt belongs to: decided by its hash, before anything is generated from it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

Part = Literal["train", "validation", "test"]

TEST_SHARE, VALIDATION_SHARE = 0.14, 0.10


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return re.findall(r"[a-z0-9']+", text.lower())


def part_of(text: str) -> Part:
    """Part of a base prompt, template or lexicon line. Case and punctuation do not matter."""
    share = int.from_bytes(hashlib.sha256(" ".join(words(text)).encode()).digest()[:4], "big") / 2**32
    if share < TEST_SHARE:
        return "test"
    return "validation" if share < TEST_SHARE + VALIDATION_SHARE else "train"


def signatures(text: str) -> set[int]:
    """Hashes of the sorted words, and of the sorted words with any one left out.

    Two texts that differ in one word (replaced, added or removed) share a signature.
    """
    unique = sorted(set(words(text)))
    return {hash(tuple(unique))} | {hash(tuple(unique[:i] + unique[i + 1 :])) for i in range(len(unique))}


def without_relatives(prompts: Iterable[str], seen: Iterable[str]) -> list[str]:
    """Prompts that share no signature with any text in `seen`: not even a one-word edit of them is there."""
    known: set[int] = set()
    for text in seen:
        known |= signatures(text)
    return [p for p in prompts if not signatures(p) & known]
