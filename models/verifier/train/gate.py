"""The lexical gate, in Python, for choosing thresholds: reasons why two prompts cannot ask for the same.

A port of the first draft of the rules that libs/similarity implements. The two may differ in detail; the gateway's own
decides in production, this one only picks the pairs on which thresholds and calibration are measured.
"""

from __future__ import annotations

import collections
import functools
import re
import unicodedata
from typing import NamedTuple

from lexicon import DAYS, MONTHS, NUMBER_WORDS, antonyms
from wordnet import Key, WordNet

NEGATIONS = set("not no never none nobody nothing neither nor without cannot avoid dont cant isnt wont doesnt didnt".split())
NUMBERS = {w: str(i) for i, w in enumerate(NUMBER_WORDS) if w != "one"} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100",
    "thousand": "1000", "million": "1000000", "half": "0.5", "dozen": "12", "twice": "2", "first": "1", "third": "3", "fourth": "4",
    "fifth": "5", "sixth": "6", "seventh": "7", "eighth": "8", "ninth": "9", "tenth": "10",
}  # fmt: skip
CALENDAR = {w.lower() for w in [*DAYS, *MONTHS]} | set(
    "today tomorrow yesterday tonight weekend weekday weekends weekdays morning afternoon evening night noon midnight am pm daily "
    "weekly monthly yearly annually".split()
)
UNITS = {
    "kilograms": "kg", "kilogram": "kg", "kilos": "kg", "grams": "g", "pounds": "lb", "lbs": "lb", "pound": "lb", "dollars": "$",
    "dollar": "$", "usd": "$", "euros": "€", "euro": "€", "eur": "€", "gbp": "£", "percent": "%", "hours": "hour", "hrs": "hour",
    "hr": "hour", "minutes": "minute", "mins": "minute", "min": "minute", "days": "day", "weeks": "week", "months": "month",
    "years": "year", "kilometers": "km", "kilometres": "km", "miles": "mile", "metres": "m", "meters": "m", "secs": "second",
    "seconds": "second", "ounces": "oz", "centimeters": "cm", "centimetres": "cm", "milliliters": "ml", "gigabytes": "gb", "megabytes": "mb",
}  # fmt: skip
STOP = set(
    "a an the of in on at to for from by with and or is are was were be been am do does did i me my we our you your it its this that "
    "these those there here what which who whom whose when where why how can could will would shall should may might must has have had "
    "get got so if then than as just please thanks thank hi hello hey ok okay tell know want need like some any also about into out up "
    "down over under off us they them their he she his her him pls plz not no's way would d s ll ve re m what's".split()
)
QUESTIONS = "how much|how many|how long|how often|how far|how old|what time|how|what|why|when|where|who|whose|which".split("|")
CONTRACTED = {"can't": "can not", "cannot": "can not", "won't": "will not", "i'm": "i am", "let's": "let us", "cant": "can not", "dont": "do not"}
THIRD = set("he she his her him hers they them their theirs".split())
ENDINGS = set("|e|ing|ed|er|or|ion|ation|ment|al|ly|y|able|ive|ance|ence|ant|ent|s|es|ness|ity|ize|ise|ition|tion".split("|"))


class Parsed(NamedTuple):
    """What the gate compares."""

    tokens: tuple[str, ...]
    text: str
    negative: bool
    numbers: collections.Counter[str]
    calendar: collections.Counter[str]
    content: tuple[str, ...]
    question: str
    capitals: frozenset[str]
    direction: tuple[str, str] | None


class Gate:
    """Vetoes of level 1 (numbers, dates, negation, opposites, direction, person) and 2 (names, siblings, question word)."""

    def __init__(self, wordnet: WordNet) -> None:
        self.wordnet = wordnet
        pairs = [(a, b) for a, b, _ in antonyms()]
        self.opposite = {*pairs, *((b, a) for a, b in pairs), *wordnet.opposites()}
        self.synsets = functools.lru_cache(200_000)(wordnet.synsets)
        self.parse = functools.lru_cache(100_000)(self._parse)

    def stem(self, word: str) -> str:
        """Unit alias, or the word without a regular ending."""
        if word in UNITS:
            return UNITS[word]
        for ending, instead in (("ies", "y"), ("ing", ""), ("ied", "y"), ("ed", ""), ("es", ""), ("s", "")):
            if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
                base = word[: -len(ending)] + instead
                if ending in ("ing", "ed") and len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lsz":
                    base = base[:-1]
                if ending in ("ing", "ed", "es") and self.synsets(base + "e") and not self.synsets(base):
                    base += "e"
                return base
        return word

    def _parse(self, text: str) -> Parsed:
        text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")
        raw = re.findall(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|[$€£%+#@°]", text)
        mixed = text != text.lower() and text != text.upper() and text != text.title()
        capitals = {self.stem(w.lower()) for w in raw[1:] if mixed and w[:1].isupper() and not re.match(r"i(?:'|$)", w.lower())}
        tokens: list[str] = []
        for word in (w.lower() for w in raw):
            if word in CONTRACTED:
                tokens += CONTRACTED[word].split()
            elif word.endswith("n't"):
                tokens += [word[:-3], "not"]
            else:
                tokens += [re.sub(r"'(?:s|m|re|ve|d|ll)$", "", word)]
        numbers: collections.Counter[str] = collections.Counter()
        for token in tokens:
            if token[0].isdigit():
                numbers[re.sub(r",(?=\d{3})", "", token)] += 1
            elif token in NUMBERS:
                numbers[NUMBERS[token]] += 1
        content = tuple(
            self.stem(t) for t in tokens if t in UNITS or t in "$€£%" or (t not in STOP and t not in NEGATIONS and len(t) > 1)
        )
        flat = " ".join(tokens)
        direction = re.search(r"\bfrom (.+?) to (.+?)(?: for| on| at| in|$)", flat) or re.search(r"\b(\w+) (?:to|into) (\w+)$", flat)
        return Parsed(
            tokens=tuple(tokens),
            text=flat,
            negative=sum(t in NEGATIONS for t in tokens) % 2 == 1,
            numbers=numbers,
            calendar=collections.Counter(t for t in re.findall(r"(?<!good )\b(?!(?:may|march)\b(?! \d))\w+", flat) if t in CALENDAR),
            content=content,
            question=next((q for q in QUESTIONS if re.search(rf"\b{q}\b", flat)), "-"),
            capitals=frozenset(capitals),
            direction=(direction[1], direction[2]) if direction else None,
        )

    def relation(self, a: str, b: str) -> str:
        """opposite, synonym, broader, sibling, typo or none, of two stems."""
        if (a, b) in self.opposite:
            return "opposite"
        mine, theirs = self.synsets(a), self.synsets(b)
        if mine and theirs:
            if mine & theirs:
                return "synonym"
            above, over = self._parents(mine), self._parents(theirs)
            if above & theirs or over & mine:
                return "broader"
            if above & over:
                return "sibling"
        elif min(len(a), len(b)) > 4 and near(a, b):
            return "typo"
        common = len(a) if b.startswith(a) else next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        if common >= 4 and a[common:] in ENDINGS and b[common:] in ENDINGS:
            return "typo"
        if any(a == p + b or b == p + a for p in ("un", "non", "in", "im", "dis", "de", "mis", "ir", "il")):
            return "opposite"
        return "none"

    def _parents(self, keys: set[Key]) -> set[Key]:
        return {p for k in keys for p in self.wordnet.parents(k)}

    def veto(self, a: str, b: str, level: int = 2) -> str | None:
        """The first reason against the pair, or None."""
        x, y = self.parse(a), self.parse(b)
        if x.numbers != y.numbers:
            return "number"
        if x.calendar != y.calendar:
            return "calendar"
        if x.negative != y.negative:
            return "negation"
        if x.direction and y.direction and x.direction == y.direction[::-1]:
            return "direction"
        if person(x) != person(y):
            return "person"
        mine = list((collections.Counter(x.content) - collections.Counter(y.content)).elements())
        theirs = list((collections.Counter(y.content) - collections.Counter(x.content)).elements())
        only_x, only_y = set(x.tokens) - set(y.tokens), set(y.tokens) - set(x.tokens)
        if any((p, q) in self.opposite for p in only_x for q in only_y):
            return "opposite"
        ranks = ("opposite", "synonym", "typo", "broader", "sibling")
        for word in list(mine):
            related = [(ranks.index(r), r, other) for other in theirs if (r := self.relation(word, other)) != "none"]
            if related:
                _, how, other = min(related)
                if how == "opposite" or (how == "sibling" and level >= 2):
                    return how
                mine.remove(word)
                theirs.remove(other)
        if level >= 2 and ((set(mine) & x.capitals) or (set(theirs) & y.capitals)):
            return "name"
        if level >= 2 and "-" not in (x.question, y.question) and x.question != y.question and not {"how", "what"} >= {x.question, y.question}:
            return "question"
        return None


def person(parsed: Parsed) -> tuple[bool, str]:
    """Whether a third person is spoken of, and whose things: my, your or neither."""
    tokens = set(parsed.tokens)
    mine, yours = bool(tokens & {"my", "our", "mine"}), bool(tokens & {"your", "yours"})
    return bool(tokens & THIRD), "your" if yours and not mine else "any"


def near(a: str, b: str) -> bool:
    """One letter apart, or two neighbours exchanged."""
    if len(a) == len(b):
        wrong = [i for i in range(len(a)) if a[i] != b[i]]
        swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and a[wrong[0]] == b[wrong[1]] and a[wrong[1]] == b[wrong[0]]
        return len(wrong) == 1 or swapped
    short, long = sorted((a, b), key=len)
    return len(long) - len(short) == 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
