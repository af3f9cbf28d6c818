"""Measures verifiers on labelled pairs and writes the thresholds, calibration and figures of the manifest.

    python evaluate.py --validation validation.jsonl.gz --test ../../../bench/semantic/data/pairs.jsonl.gz \\
        --model baseline=baseline.int8.onnx --model shipped=../verifier.int8.onnx --out figures.json

Thresholds are chosen on validation pairs (see careful); figures come from the test pairs.
"""

from __future__ import annotations

import argparse
import collections
import json
from collections.abc import Sequence

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from gate import Gate
from pairs_file import Pair, read_pairs
from scoring import scores, session
from wordnet import WordNet


def threshold(trap_scores: np.ndarray, traps: int, share: float) -> float:
    """Smallest t with at most `share` of `traps` traps at or above it; `trap_scores` are those that pass the gate."""
    allowed = int(np.floor(share * traps))
    ordered = np.sort(trap_scores)[::-1]
    return float(np.nextafter(ordered[allowed], np.inf)) if allowed < len(ordered) else float(ordered[-1])


def careful(pairs: Sequence[Pair], score: np.ndarray, passed: np.ndarray, share: float) -> float:
    """The highest of three thresholds: at most `share` of the traps that pass the gate are accepted; at most `share` of all
    traps, as if there were no gate; and at most four times `share` of each kind without the gate, so that no weak kind hides.
    """
    trap = np.array([not p.same for p in pairs])
    kinds = np.array([p.kind for p in pairs])
    found = [threshold(score[passed & trap], int((passed & trap).sum()), share), threshold(score[trap], int(trap.sum()), share)]
    found += [threshold(score[kinds == k], int((kinds == k).sum()), 4 * share) for k in sorted(set(kinds[trap]))]
    return max(found)


def hit_rate(score: np.ndarray, same: np.ndarray, share: float) -> float:
    """Share of same pairs at or above the threshold that lets at most `share` of the others through. No gate."""
    return float(np.mean(score[same] >= threshold(score[~same], int((~same).sum()), share)))


def by_kind(pairs: Sequence[Pair], accepted: np.ndarray) -> dict[str, dict[str, float]]:
    """Share accepted of each kind, traps and variants apart."""
    rows: dict[tuple[bool, str], list[bool]] = collections.defaultdict(list)
    for pair, yes in zip(pairs, accepted, strict=True):
        rows[(pair.same, pair.kind)].append(bool(yes))
        rows[(pair.same, "all")].append(bool(yes))
    return {
        name: {k: round(float(np.mean(v)), 4) for (same, k), v in rows.items() if same is wanted}
        for name, wanted in (("trapsAccepted", False), ("variantsAccepted", True))
    }


def calibration(score: np.ndarray, same: np.ndarray) -> list[list[float]]:
    """Falling [logit, probability that serving is wrong] points: isotonic, then the upper 90 % bound of each step's count."""
    fitted = IsotonicRegression(increasing=False).fit(score, (~same).astype(float)).predict(score)
    points: list[list[float]] = []
    order = np.argsort(score)
    blocks = np.array_split(order, 24)
    for block in blocks:
        wrong, n = float(fitted[block].sum()), len(block)
        z = 1.28  # one-sided 90 %: Wilson's upper bound keeps the estimate above what was seen
        centre = (wrong / n + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(max(wrong / n * (1 - wrong / n), 0) / n + z * z / (4 * n * n))
        bound = min(float(centre + half), 0.99)
        points.append([round(float(score[block].min()), 3), round(min(bound, points[-1][1]) if points else bound, 4)])
    return [p for i, p in enumerate(points) if i == 0 or p[1] < points[i - 1][1]]


def figures(pairs: list[Pair], score: np.ndarray, passed: np.ndarray, t: dict[str, float]) -> dict[str, object]:
    """All figures of one verifier on one set."""
    same = np.array([p.same for p in pairs])
    return {
        "pairs": len(pairs),
        "auc": round(float(roc_auc_score(same, score)), 4),
        "hitRateAt1PercentWrong": round(hit_rate(score, same, 0.01), 4),
        "verifierAlone": by_kind(pairs, score >= t["balanced"]),
        "gateAndVerifier": by_kind(pairs, passed & (score >= t["balanced"])),
        "gateAndVerifierCautious": {k: v["all"] for k, v in by_kind(pairs, passed & (score >= t["cautious"])).items()},
    }


def main() -> None:
    """Scores every model on both sets and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--wordnet", default="/usr/share/wordnet")
    parser.add_argument("--model", action="append", required=True, help="name=path of an ONNX file")
    parser.add_argument("--scores", help="prefix of files to keep the scores in")
    parser.add_argument("--out")
    args = parser.parse_args()
    gate = Gate(WordNet(args.wordnet))
    sets = {"validation": read_pairs(args.validation), "test": read_pairs(args.test)}
    passed = {name: np.array([gate.veto(p.a, p.b) is None for p in pairs]) for name, pairs in sets.items()}
    report: dict[str, dict[str, object]] = {"gateAlone": dict(by_kind(sets["test"], passed["test"]))}
    for name, _, path in (m.partition("=") for m in args.model):
        model = session(path)
        score = {part: scores(model, pairs) for part, pairs in sets.items()}
        same = np.array([p.same for p in sets["validation"]])
        t = {k: careful(sets["validation"], score["validation"], passed["validation"], s) for k, s in (("balanced", 0.01), ("cautious", 0.005))}
        if args.scores:
            np.savez(f"{args.scores}.{name}.npz", **score, **{f"{k}_passed": v for k, v in passed.items()})
        report[name] = {
            "thresholds": {k: round(v, 3) for k, v in t.items()},
            "calibration": calibration(score["validation"][passed["validation"]], same[passed["validation"]]),
            "validation": figures(sets["validation"], score["validation"], passed["validation"], t),
            "test": figures(sets["test"], score["test"], passed["test"], t),
        }
        print(name, json.dumps({k: report[name][k] for k in ("thresholds", "test")}, indent=1), flush=True)
    print("gate alone", json.dumps(report["gateAlone"], indent=1))
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
