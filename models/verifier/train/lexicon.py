"""Word lists in lexicon/: loaded once, as plain data."""

from __future__ import annotations

import functools
import pathlib
import re

# re's own cache holds 512 patterns; the lists here make thousands
compiled = functools.cache(re.compile)

FOLDER = pathlib.Path(__file__).parent / "lexicon"

NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
ORDINAL_WORDS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()

UNITS: dict[str, list[str]] = {
    "weight": ["kilograms", "pounds", "ounces", "grams", "tons", "stones"],
    "length": ["kilometers", "miles", "meters", "feet", "inches", "yards", "centimeters"],
    "time": ["seconds", "minutes", "hours", "days", "weeks", "months", "years"],
    "volume": ["liters", "gallons", "cups", "pints", "tablespoons", "teaspoons", "milliliters"],
    "temperature": ["celsius", "fahrenheit", "kelvin"],
    "data": ["kilobytes", "megabytes", "gigabytes", "terabytes"],
    "frequency": ["daily", "weekly", "monthly", "yearly"],
    "area": ["acres", "hectares"],
    "currency": ["dollars", "euros", "pounds", "yen", "rupees", "pesos", "francs", "yuan"],
}
ABBREVIATIONS = {
    "kilograms": "kg", "grams": "g", "pounds": "lbs", "ounces": "oz", "kilometers": "km", "centimeters": "cm",
    "minutes": "mins", "hours": "hrs", "seconds": "secs", "percent": "%", "gigabytes": "GB", "megabytes": "MB",
    "milliliters": "ml",
}  # fmt: skip


def lines(name: str) -> list[str]:
    """Lines of a list that are neither empty nor comments."""
    text = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line for line in text if line.strip() and not line.startswith("#")]


def _categories(name: str) -> dict[str, list[str]]:
    return {k: [w.strip() for w in v.split(",")] for k, _, v in (line.partition(":") for line in lines(name))}


@functools.cache
def entities() -> dict[str, list[str]]:
    """Category to names: cities, countries, brands, people, …"""
    return _categories("entities.txt")


@functools.cache
def siblings() -> dict[str, list[str]]:
    """Category to things of one kind."""
    return _categories("siblings.txt")


@functools.cache
def antonyms() -> list[tuple[str, str, str]]:
    """(word, opposite, pattern to skip or ''), in both directions."""
    found: list[tuple[str, str, str]] = []
    for line in lines("antonyms.txt"):
        pair, _, skip = line.partition("\t")
        a, b = pair.split(" ")
        found += [(a, b, skip), (b, a, skip)]
    return found


@functools.cache
def synonyms() -> list[tuple[str, str, str]]:
    """(phrase, other phrase, pattern to skip or '')."""
    rows = (line.split("\t") for line in lines("synonyms.txt"))
    return [(r[0].strip(), r[1].strip(), r[2].strip() if len(r) > 2 else "") for r in rows]


@functools.cache
def spellings() -> list[tuple[str, str, str]]:
    """(spelling, other spelling, pattern to skip or ''), in both directions."""
    found: list[tuple[str, str, str]] = []
    for line in lines("spellings.txt"):
        pair, _, skip = line.partition("\t")
        a, b = pair.split(" ")
        found += [(a, b, skip), (b, a, skip)]
    return found


def gerund(phrase: str) -> str:
    """'reset my phone' to 'resetting my phone'."""
    verb, _, rest = phrase.partition(" ")
    doubled = {
        "reset", "get", "set", "put", "let", "run", "quit", "shop", "stop", "swap", "sit", "hit", "cut", "plan", "drop",
        "sum", "step", "jog", "clip", "trim", "begin", "hem", "chop", "swim", "knit", "wrap", "pop", "slim", "rip", "unclog",
        "permit", "submit", "shed",
    }  # fmt: skip
    if verb in ("be", "see", "free", "agree"):
        made = verb + "ing"
    elif verb in ("tie", "lie", "die"):
        made = verb[:-2] + "ying"
    elif verb.endswith("e"):
        made = verb[:-1] + "ing"
    elif verb in doubled:
        made = verb + verb[-1] + "ing"
    else:
        made = verb + "ing"
    return f"{made} {rest}".strip()


def replace_cased(old: str, new: str) -> str:
    """`new` with the capitals of `old`."""
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
