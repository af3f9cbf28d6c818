"""Measures the shipped table on texts that it was not trained on.

    git clone https://github.com/clinc/oos-eval && git clone https://github.com/PolyAI-LDN/task-specific-datasets
    python measure.py --texts texts.jsonl.gz --clinc oos-eval/data/data_full.json \\
        --banking task-specific-datasets/banking_data/test.csv --data ../../../bench/semantic/data

* correlation with the teacher's cosine: pairs of test prompts of CLINC150 and Banking77 (their training splits were used,
  their test splits were not), a third each: one intent, teacher's nearest neighbours among the set, at random;
* candidate recall@10: variants (b) as queries; in the store their own prompt (a) and 20,000 unrelated prompts;
* AUC of the cosine on the held-out pairs, and with --float a float table for the loss by int8.
"""

from __future__ import annotations

import argparse
import collections
import csv
import gzip
import json
import pathlib

import numpy as np
from sklearn.metrics import roc_auc_score

from static_table import bags, load, pieces_of, tokenizer
from teacher import embed, folder, read_texts, session


def test_prompts(clinc: str, banking: str, trained: set[str], most: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """(intent, text) of the test splits, `most` of each set, without those that the training texts repeat."""
    rows = [(intent, text) for text, intent in json.loads(pathlib.Path(clinc).read_text(encoding="utf-8"))["test"]]
    with open(banking, encoding="utf-8") as file:
        other = [(r["category"], " ".join(r["text"].split())) for r in csv.DictReader(file)]
    fresh = [[p for p in s if p[1].lower() not in trained] for s in (rows, other)]
    return [s[i] for s in fresh for i in rng.permutation(len(s))[:most]]


def pair_up(prompts: list[tuple[str, str]], teacher: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int [pairs, 2]: one intent, neighbours and random pairs in equal number."""
    by_intent = collections.defaultdict(list)
    for i, (intent, _) in enumerate(prompts):
        by_intent[intent].append(i)
    cosines = teacher @ teacher.T
    np.fill_diagonal(cosines, -1)
    near = np.argsort(-cosines, axis=1)[:, :10]
    found = []
    for i, (intent, _) in enumerate(prompts):
        others = [j for j in by_intent[intent] if j != i]
        if others:
            found.append((i, int(rng.choice(others))))
        found.append((i, int(rng.choice(near[i]))))
        found.append((i, int((i + rng.integers(1, len(prompts))) % len(prompts))))
    return np.array(found)


def recall(queries: np.ndarray, own: np.ndarray, store: np.ndarray, k: int = 10) -> float:
    """Share of queries whose own entry is among the k nearest of own + store."""
    hits = 0
    for start in range(0, len(queries), 500):
        q = queries[start : start + 500]
        mine = (q * own[start : start + 500]).sum(1)
        hits += int(((q @ store.T > mine[:, None]).sum(1) < k).sum())
    return hits / len(queries)


def main() -> None:
    """Measures and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clinc", required=True)
    parser.add_argument("--banking", required=True)
    parser.add_argument("--texts", required=True, help="the training texts")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--table", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    parser.add_argument("--float", type=pathlib.Path, help="the same table in float32 (.npy)")
    parser.add_argument("--most", type=int, default=1500)
    args = parser.parse_args()
    rng, table, wordpiece = np.random.default_rng(3), load(args.table), tokenizer(folder())
    trained = {t.lower() for _, t in read_texts(args.texts)}
    prompts = test_prompts(args.clinc, args.banking, trained, args.most, rng)
    texts = [t for _, t in prompts]
    teacher = embed(texts, session(int8=False))
    pairs = pair_up(prompts, teacher, rng)
    wanted = (teacher[pairs[:, 0]] * teacher[pairs[:, 1]]).sum(1)
    mine = bags(pieces_of(texts, wordpiece), table)
    report = {"correlation": {"pairs": len(pairs), "pearson": float(np.corrcoef(wanted, (mine[pairs[:, 0]] * mine[pairs[:, 1]]).sum(1))[0, 1])}}
    held = [json.loads(line) for line in gzip.open(args.data / "pairs.jsonl.gz", "rt", encoding="utf-8")]
    store = [json.loads(line)["text"] for line in gzip.open(args.data / "unrelated.jsonl.gz", "rt", encoding="utf-8")]
    a, b = (pieces_of([p[side] for p in held], wordpiece) for side in "ab")
    same = np.array([p["same"] for p in held])
    x, y, others = bags(a, table), bags(b, table), bags(pieces_of(store, wordpiece), table)
    kinds = np.array([p["kind"] for p in held])
    report["recallAt10"] = {"store": len(store), "all": recall(y[same], x[same], others)} | {
        str(k): recall(y[kinds == k], x[kinds == k], others) for k in sorted(set(kinds[same]))
    }
    report["aucOfCosine"] = {"int8": float(roc_auc_score(same, (x * y).sum(1)))}
    if args.float:
        rows = np.load(args.float)
        report["aucOfCosine"]["float"] = float(roc_auc_score(same, (bags(a, rows) * bags(b, rows)).sum(1)))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
