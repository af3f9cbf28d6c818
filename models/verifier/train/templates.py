"""Prompts and pairs from our own templates: scenes with slots, and question frames over actions and concepts."""

from __future__ import annotations

import functools
import random
import re
from typing import NamedTuple

from lexicon import DAYS, MONTHS, UNITS, entities, gerund, lines, siblings
from pairs_file import Pair
from split import Part, part_of
from traps import articles, at_end, fill, scope_groups


class Topic(NamedTuple):
    """Phrases that mean the same, and near misses that do not."""

    same: list[str]
    misses: list[str]


def topics(name: str, part: Part) -> list[Topic]:
    """Topics of actions.txt or concepts.txt that belong to a part (decided by the whole line)."""
    found = []
    for line in lines(name):
        if part_of(line) == part:
            same, *misses = line.split(" ! ")
            found.append(Topic([s.strip() for s in same.split("=")], [m.strip() for m in misses]))
    return found


@functools.cache
def frames(name: str) -> list[list[str]]:
    """Groups of question frames, one meaning each."""
    return [[f.strip() for f in line.split("|")] for line in lines(name)]


def say(frame: str, phrase: str) -> str:
    """A frame filled with an action ({v}, {ing}) or a concept ({n})."""
    made = frame.replace("{v}", phrase).replace("{ing}", gerund(phrase)).replace("{n}", phrase)
    return made[:1].upper() + made[1:] if frame[:1] == "{" else made


@functools.cache
def _pools(part: Part) -> dict[str, list[str]]:
    """Fillers of slots; training never sees the names that belong to the other parts."""
    pools = {**siblings(), **entities()}
    if part == "train":
        pools = {k: [w for w in v if part_of(w) == "train"] or v for k, v in pools.items()}
    return pools | {
        "day": DAYS, "month": MONTHS, "weight": UNITS["weight"][:4], "length": UNITS["length"], "time": UNITS["time"],
        "volume": UNITS["volume"], "data": UNITS["data"], "area": UNITS["area"], "frequency": UNITS["frequency"],
    }  # fmt: skip


def _number_slot(kind: str, rng: random.Random) -> str | None:
    """Value of a numeric slot."""
    match kind:
        case "n":
            return str(rng.choice([rng.randint(2, 12), rng.randint(2, 60)]))
        case "big":
            return rng.choice([str(rng.randint(10, 99) * 10), str(rng.randint(1, 90) * 100), f"{rng.randint(1, 9)},{rng.randint(1, 9)}00"])
        case "pct":
            return rng.choice([str(rng.randint(1, 95)), f"{rng.randint(1, 9)}.{rng.randint(1, 9)}"])
        case "year":
            return str(rng.randint(1900, 2030))
        case "dom":
            return str(rng.randint(1, 28))
        case "ord":
            n = rng.randint(1, 28)
            return f"{n}{'th' if 10 < n < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"
        case "temp":
            return f"{rng.randint(10, 40) * 5} degrees {rng.choice(['celsius', 'fahrenheit'])}"
        case "clock":
            return f"{rng.randint(1, 12)}{rng.choice([':30', ':15', '', '', ':45'])} {rng.choice(['am', 'pm', 'am', 'pm', 'AM', 'PM'])}"
    return None


def scene(line: str, part: Part, rng: random.Random) -> str:
    """A scene with its slots filled; {x2} differs from {x}."""
    pools, used = _pools(part), dict[str, str]()

    def value(match: re.Match[str]) -> str:
        kind = match[1].rstrip("2")
        for _ in range(50):
            made = _number_slot(kind, rng) or rng.choice(pools[kind])
            if made not in used.values():
                break
        used[match[1]] = made
        return made

    return articles(re.sub(r"\{(\w+)\}", value, line))


def scenes(part: Part, each: int, rng: random.Random) -> list[str]:
    """`each` fillings of every scene of a part."""
    own = [line for line in lines("scenes.txt") if part_of(line) == part]
    return sorted({scene(line, part, rng) for line in own for _ in range(each)})


def framed_prompts(part: Part, count: int, rng: random.Random) -> list[str]:
    """Questions about the part's actions and concepts."""
    found = set[str]()
    pairs = [(topics("actions.txt", part), frames("frames.txt")), (topics("concepts.txt", part), frames("concept_frames.txt"))]
    for _ in range(count):
        own, groups = rng.choices(pairs, [2, 1])[0]
        prompt = say(rng.choice(rng.choice(groups[:8])), rng.choice(rng.choice(own).same))
        found.add(prompt[:1].upper() + prompt[1:] if rng.random() < 0.6 else prompt)
    return sorted(found)


def _scoped(a: str, b: str, rng: random.Random) -> tuple[str, str, bool]:
    """Both limited the same way (still the same), one limited, or both limited differently."""
    group = rng.choice(scope_groups())
    first = fill(rng.choice(group), rng)
    how = rng.random()
    if how < 0.4:
        return at_end(a, first), at_end(b, first), True
    if how < 0.7:
        return at_end(a, first), b, False
    second = fill(rng.choice(group), rng)
    return at_end(a, first), at_end(b, second), first == second


def framed_pair(own: list[Topic], groups: list[list[str]], rng: random.Random) -> Pair:
    """A paraphrase; or the same question about a near miss; or another question about the same."""
    topic, group = rng.choice(own), rng.choices(groups, [6, *[1] * (len(groups) - 1)] if "{v}" in groups[0][0] else None)[0]
    first, second = rng.sample(group, 2)
    phrase, other = rng.choice(topic.same), rng.choice(topic.same)
    a, b = say(first, phrase), say(second, other)
    how = rng.random()
    if how < 0.45:
        return Pair(a, b, True, "paraphrase")
    if how < 0.62:
        if rng.random() < 0.5:
            second = first
        return Pair(a, say(second, rng.choice(topic.misses)), False, "near_miss")
    if how < 0.80:
        across = rng.choice(rng.choice([g for g in groups if g is not group]))
        return Pair(a, say(across, other), False, "other_question")
    a, b, same = _scoped(a, b, rng)
    return Pair(a, b, same, "paraphrase" if same else "scope")


def framed_pairs(part: Part, count: int, rng: random.Random) -> list[Pair]:
    """Pairs over actions (two thirds) and concepts, some capitalised."""
    actions, concepts = topics("actions.txt", part), topics("concepts.txt", part)
    found = []
    for _ in range(count):
        if rng.random() < 0.67:
            pair = framed_pair(actions, frames("frames.txt"), rng)
        else:
            pair = framed_pair(concepts, frames("concept_frames.txt"), rng)
        a, b = (t[:1].upper() + t[1:] if rng.random() < 0.6 else t for t in (pair.a, pair.b))
        if rng.random() < 0.5:
            a, b = b, a
        if a.lower() != b.lower():
            found.append(pair._replace(a=a, b=b))
    return found
