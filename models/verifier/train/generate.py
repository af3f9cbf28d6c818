"""Makes the labelled pairs: the held-out set, the validation set and the training set, with disjoint base prompts.

    python generate.py --texts texts.jsonl.gz --wordnet /usr/share/wordnet --earlier pairs.jsonl.gz \\
        --test ../../../bench/semantic/data/pairs.jsonl.gz --validation validation.jsonl.gz --train train.jsonl.gz

--earlier names pairs that an earlier model was trained on: no held-out prompt is within one word of a text in them.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import random
import re

import traps
import variants
from lexicon import lines
from pairs_file import Pair, read_pairs, write_pairs
from split import Part, part_of, without_relatives
from templates import framed_pairs, framed_prompts, scene, scenes
from wordnet import WordNet

SOURCES = {"clinc150", "banking77", "hwu64", "snips", "nlupp", "rest8k"}
PER_KIND = {"test": 600, "validation": 400}


def prompts(path: str) -> list[str]:
    """Prompts of the public intent sets, 3 to 25 words."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    texts = {r["text"].strip() for r in rows if r["source"] in SOURCES and 3 <= len(r["text"].split()) <= 25}
    return sorted(t for t in texts if t.isascii())


def dictionary(wordnet: WordNet, texts: list[str]) -> set[str]:
    """WordNet's words and every word that occurs five times in the prompts."""
    counts = collections.Counter(w for t in texts for w in re.findall(r"[a-z]+", t.lower()))
    return wordnet.words() | {w for w, n in counts.items() if n >= 5}


def differs(a: str, b: str) -> bool:
    """More than capitals, punctuation and blanks."""
    return re.sub(r"[^\w$€£%]", "", a.lower()) != re.sub(r"[^\w$€£%]", "", b.lower())


def single_edits(part: Part, corpus: list[str], words: set[str], rng: random.Random) -> list[Pair]:
    """Up to PER_KIND pairs of each kind; every base prompt is used once a kind, a scene at most 40 times."""
    made: list[Pair] = []
    own = [line for line in lines("scenes.txt") if part_of(line) == part]
    bases = [(t, "") for t in corpus] + [(t, "") for t in framed_prompts(part, 3000, rng)]
    bases += [(scene(line, part, rng), line) for line in own for _ in range(40)]
    for same, edits in ((False, traps.EDITS), (True, variants.edits(words))):
        for kind, edit in edits.items():
            order = rng.sample(bases, len(bases))
            if kind in ("unit", "date", "ampm", "role_swap", "entity", "number_word", "spelling"):  # rare in the public sets
                order.sort(key=lambda b: b[1] == "")
            per_scene, used = collections.Counter[str](), set[str]()
            for base, line in order:
                if len(used) >= PER_KIND[part] or base in used or (line and per_scene[line] >= (20 if kind == "entity" else 40)):
                    continue
                other = edit(base, rng)
                if other and other != base and (differs(base, other) != (kind == "case")):
                    used.add(base)
                    per_scene[line] += 1
                    made.append(Pair(base, other, same, kind))
    return made


def surface(text: str, edits: dict[str, variants.Edit], rng: random.Random, most: int = 2) -> str:
    """`text` after up to `most` edits that keep the meaning."""
    for kind in rng.choices(list(edits), [2 if k in ("opening", "synonym") else 1 for k in edits], k=rng.randint(1, most)):
        text = edits[kind](text, rng) or text
    return text


def training_pairs(corpus: list[str], words: set[str], rng: random.Random, count: int) -> list[Pair]:
    """Half traps (often reworded as well, so that rewording says nothing about the label), half variants."""
    edits = variants.edits(words)
    bases = corpus + 3 * framed_prompts("train", 12000, rng) + 2 * scenes("train", 150, rng)
    kinds = list(traps.EDITS)
    weights = [{"scope": 0.7, "sibling": 2.0, "entity": 2.0, "subject": 1.2}.get(k, 1.0) for k in kinds]
    made: list[Pair] = []
    while len(made) < count:
        base = rng.choice(bases)
        if rng.random() < 0.45:
            a, b = base, surface(base, edits, rng, 3)
            if rng.random() < 0.4:
                a = surface(base, edits, rng, 1)
            if differs(a, b) or rng.random() < 0.2:
                made.append(Pair(a, b, True, "variant"))
            continue
        for kind in rng.choices(kinds, weights, k=3):
            other = traps.EDITS[kind](base, rng)
            if other and differs(base, other):
                a, b = base, other
                if rng.random() < 0.4:
                    b = surface(b, edits, rng)
                elif rng.random() < 0.2:
                    a = surface(a, edits, rng)
                if differs(a, b):
                    made.append(Pair(a, b, False, kind) if rng.random() < 0.5 else Pair(b, a, False, kind))
                break
    return made


def main() -> None:
    """Reads, splits, generates, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--wordnet", default="/usr/share/wordnet")
    parser.add_argument("--earlier", nargs="*", default=[])
    parser.add_argument("--test")
    parser.add_argument("--validation")
    parser.add_argument("--train")
    parser.add_argument("--count", type=int, default=110_000, help="training pairs from edits; half as many from frames")
    args = parser.parse_args()
    texts = prompts(args.texts)
    words = dictionary(WordNet(args.wordnet), texts)
    parts = {p: [t for t in texts if part_of(t) == p] for p in ("test", "validation", "train")}
    earlier = [t for path in args.earlier for p in read_pairs(path) for t in (p.a, p.b)]
    parts["test"] = without_relatives(parts["test"], earlier)
    parts["validation"] = without_relatives(parts["validation"], [*earlier, *parts["test"]])
    for part, path in (("test", args.test), ("validation", args.validation)):
        if path:
            pairs = single_edits(part, parts[part], words, random.Random(f"{part} edits"))
            report(part, pairs)
            write_pairs(path, pairs)
    if args.train:
        corpus = without_relatives(parts["train"], [*parts["test"], *parts["validation"]])
        rng = random.Random("training")
        pairs = training_pairs(corpus, words, rng, args.count) + framed_pairs("train", args.count // 2, rng)
        held = {p.a.lower() for path in (args.test, args.validation) if path for p in read_pairs(path)}
        pairs = [p for p in pairs if p.a.lower() not in held and p.b.lower() not in held]
        rng.shuffle(pairs)
        report("train", pairs)
        write_pairs(args.train, pairs)


def report(part: str, pairs: list[Pair]) -> None:
    """Counts by kind."""
    print(part, len(pairs), dict(collections.Counter(p.kind for p in pairs)), flush=True)


if __name__ == "__main__":
    main()
