"""Takes the mined pairs (same or other intent) from an earlier set and drops the positives that a lexical veto contradicts.

    python mined.py --earlier pairs.jsonl.gz --held held1.jsonl.gz held2.jsonl.gz --out mined.jsonl.gz

Same-intent prompts of the public sets are often not the same question ("lost card" / "stolen card"). A positive whose
numbers, dates, negation, opposites or things of a kind differ is dropped; negatives are kept as they are.
"""

from __future__ import annotations

import argparse
import collections
import random

from gate import Gate
from pairs_file import Pair, read_pairs, write_pairs
from split import signatures
from wordnet import WordNet

MINED = ("clinc", "bank", "hwu", "snips")
KEPT_WHOLE = ("fam", "ed-sib", "ed-ent", "ed-mod2")


def wanted(pair: Pair, gate: Gate) -> bool:
    """Mined pairs that pass, and the open-vocabulary template pairs."""
    if pair.kind.startswith(KEPT_WHOLE):
        return True
    return pair.kind.startswith(MINED) and (not pair.same or gate.veto(pair.a, pair.b) is None)


def main() -> None:
    """Reads, filters, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--earlier", required=True)
    parser.add_argument("--held", nargs="*", default=[])
    parser.add_argument("--wordnet", default="/usr/share/wordnet")
    parser.add_argument("--share", type=float, default=0.4, help="share kept of negatives and of template pairs")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    gate = Gate(WordNet(args.wordnet))
    held = {s for path in args.held for p in read_pairs(path) for s in signatures(p.a)}
    kept = [p for p in read_pairs(args.earlier) if wanted(p, gate) and not held & (signatures(p.a) | signatures(p.b))]
    rng = random.Random(5)
    kept = [p for p in kept if (p.same and p.kind.startswith(MINED)) or rng.random() < args.share]
    print(len(kept), dict(collections.Counter((p.kind, p.same) for p in kept)))
    write_pairs(args.out, kept)


if __name__ == "__main__":
    main()
