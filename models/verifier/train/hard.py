"""Fresh generated pairs that a model in training gets wrong, with as many that it gets right.

    python hard.py --texts texts.jsonl.gz --held pairs.jsonl.gz validation.jsonl.gz --model now.int8.onnx --out hard.jsonl.gz

Kept whole: traps with a logit over -1 and variants or paraphrases with a logit under 1.5. The rest of the file is a random
sample of the others, so that a short round of training on it forgets nothing.
"""

from __future__ import annotations

import argparse
import collections
import random

from generate import dictionary, prompts, training_pairs
from pairs_file import read_pairs, write_pairs
from scoring import scores, session
from split import part_of, without_relatives
from templates import framed_pairs
from wordnet import WordNet


def main() -> None:
    """Generates, scores, keeps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--held", nargs="+", required=True)
    parser.add_argument("--wordnet", default="/usr/share/wordnet")
    parser.add_argument("--model", required=True)
    parser.add_argument("--count", type=int, default=16_000)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    texts = prompts(args.texts)
    words = dictionary(WordNet(args.wordnet), texts)
    held = [p.a for path in args.held for p in read_pairs(path)]
    corpus = without_relatives([t for t in texts if part_of(t) == "train"], held)
    rng = random.Random("hard")
    pairs = training_pairs(corpus, words, rng, args.count * 2 // 3) + framed_pairs("train", args.count // 3, rng)
    logit = scores(session(args.model), pairs)
    wrong = [p for p, s in zip(pairs, logit, strict=True) if (s < 1.5 if p.same else s > -1)]
    right = [p for p, s in zip(pairs, logit, strict=True) if not (s < 1.5 if p.same else s > -1)]
    print(len(pairs), "wrong or unsure:", dict(collections.Counter((p.kind, p.same) for p in wrong)), flush=True)
    kept = wrong + rng.sample(right, min(len(right), 2 * len(wrong)))
    rng.shuffle(kept)
    write_pairs(args.out, kept)


if __name__ == "__main__":
    main()
