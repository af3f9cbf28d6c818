"""Picks 20,000 distinct prompts that have nothing to do with the held-out pairs: what fills a store in the benchmark.

    python unrelated.py --texts texts.jsonl.gz --pairs ../../../bench/semantic/data/pairs.jsonl.gz \\
        --out ../../../bench/semantic/data/unrelated.jsonl.gz

Half are prompts of the public intent sets, the rest template questions and WordNet's example sentences. A prompt whose
embedding is at a cosine of .75 or more to any text of the pairs is left out: it might rightly be served for it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import pathlib

import numpy as np

from static_table import bags, load, pieces_of, tokenizer
from teacher import folder, read_texts

SHARES = {"intents": 10_000, "template": 7_000, "wn_example": 3_000}
RELATED = 0.75


def main() -> None:
    """Reads, embeds, filters, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--table", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    table, wordpiece, rng = load(args.table), tokenizer(folder()), np.random.default_rng(11)
    with gzip.open(args.pairs, "rt", encoding="utf-8") as lines:
        held = {t for line in lines for t in (lambda p: (p["a"], p["b"]))(json.loads(line))}
    queries = bags(pieces_of(sorted(held), wordpiece), table)
    pools: dict[str, list[str]] = {name: [] for name in SHARES}
    for source, text in read_texts(args.texts):
        pool = source if source in pools else None if source.startswith("wn_") else "intents"
        if pool and 3 <= len(text.split()) <= 25 and text not in held and text.isascii():
            pools[pool].append(text)
    chosen: dict[str, str] = {}
    for name, wanted in SHARES.items():
        texts = [pools[name][i] for i in rng.permutation(len(pools[name]))]
        kept = 0
        for start in range(0, len(texts), 2000):
            block = texts[start : start + 2000]
            close = (bags(pieces_of(block, wordpiece), table) @ queries.T).max(1)
            for text, cosine in zip(block, close, strict=True):
                key = " ".join(text.lower().split()).strip(" ?.!")
                if cosine < RELATED and key not in chosen and kept < wanted:
                    chosen[key] = text
                    kept += 1
            if kept >= wanted:
                break
        print(name, kept, flush=True)
    body = "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in chosen.values())
    with open(args.out, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=9) as out:
        out.write(body.encode())


if __name__ == "__main__":
    main()
