"""Edits of quantities and times: another number, unit, date or half of the day."""

from __future__ import annotations

import random
import re

from lexicon import DAYS, MONTHS, NUMBER_WORDS, ORDINAL_WORDS, UNITS, compiled, replace_cased


def put(text: str, match: re.Match[str], new: str) -> str:
    """`text` with the match replaced, its capitals kept."""
    return text[: match.start()] + replace_cased(match[0], new) + text[match.end() :]


_NUMBER = re.compile(r"(?<![\w.:/,'-])\d+(?:[.,:]\d+)*(?:st|nd|rd|th)?(?![\w:/-]|[.,]\d)")
_WORD_NUMBER = re.compile(r"\b(?:" + "|".join(NUMBER_WORDS[2:]) + r")\b", re.I)
_ORDINAL_WORD = re.compile(r"\b(?:" + "|".join(w for w in ORDINAL_WORDS[1:] if w != "second") + r")\b", re.I)


def number(text: str, rng: random.Random) -> str | None:
    """Another quantity, year, clock time or ordinal."""
    found = [*_NUMBER.finditer(text), *_WORD_NUMBER.finditer(text), *_ORDINAL_WORD.finditer(text)]
    found = [m for m in found if not re.search(r"\bone$|^ (?:of all|hand|time|thing)", m[0] + text[m.end() : m.end() + 7])]
    if not found:
        return None
    match = rng.choice(found)
    old = match[0].lower()
    if old in NUMBER_WORDS:
        new = rng.choice([w for w in NUMBER_WORDS[2:] if w != old])
    elif old in ORDINAL_WORDS:
        new = rng.choice([w for w in ORDINAL_WORDS[1:7] if w != old])
    else:
        new = _other_digits(old, rng)
        if re.search(r"\b(?:" + "|".join(MONTHS) + r") $", text[: match.start()], re.I) and old.isdigit() and int(old) < 32:
            new = str(rng.choice([d for d in range(1, 29) if d != int(old)]))
    edited = put(text, match, new)
    same = re.findall(r"\d+", text.lower()) and sorted(re.findall(r"\d+", text)) == sorted(re.findall(r"\d+", edited))
    return None if same and old[0].isdigit() else edited


def _other_digits(old: str, rng: random.Random) -> str:
    """Another number of a like size and form: 1,500 -> 1,700; 7:30 -> 9:30; 3rd -> 5th; 1.5 -> 15; 40 -> 400."""
    suffix = re.search(r"(st|nd|rd|th)$", old)
    if suffix:
        n = rng.choice([d for d in range(1, 29) if str(d) != old[:-2]])
        return f"{n}{'th' if 10 < n < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"
    if ":" in old:
        hour, _, rest = old.partition(":")
        return f"{rng.choice([h for h in range(1, 13) if h != int(hour)])}:{rest}"
    if "." in old and rng.random() < 0.3:
        return old.replace(".", "")
    whole, point, rest = old.partition(".")
    digits = whole.replace(",", "")
    value = int(digits)
    if 1900 <= value <= 2035 and not point:
        return str(rng.choice([y for y in range(max(1900, value - 12), value + 12) if y != value]))
    how = rng.random()
    if how < 0.25 and not point and value:
        new = value * 10
    elif how < 0.35 and value >= 100 and value % 10 == 0:
        new = value // 10
    else:
        low, high = max(1, value // 2), max(12, value * 2)
        new = value
        while new == value:
            new = rng.randint(low, high)
            if value >= 100 and value % 10 == 0:
                new = max(10, new // 10 * 10)
    made = f"{new:,}" if "," in whole else str(new)
    return made + point + rest


_UNIT_OF = {u: [x for x in family if x != u] for family in UNITS.values() for u in family}
_UNIT_OF["pounds"] = ["kilograms", "ounces", "dollars", "euros"]
_UNIT_OF |= {"kg": ["lbs", "oz"], "km": ["miles", "meters"], "lbs": ["kg"], "usd": ["eur", "gbp", "yen"], "bucks": ["euros"]}
_UNIT_OF |= {u[:-1]: [x[:-1] for x in family if x.endswith("s")] for u, family in _UNIT_OF.items() if u.endswith("s") and len(u) > 4}
_UNIT_OF["foot"] = ["inch", "meter", "yard"]
_UNIT = re.compile(r"(?<![\w'-])(?:" + "|".join(sorted(_UNIT_OF, key=len, reverse=True)) + r")(?![\w'-])", re.I)
_UNIT_PLACE = re.compile(r"(?:\d|\b(?:in|to|into|of|many|few|a|an|per|how much|" + "|".join(NUMBER_WORDS[1:]) + r"))\s*$", re.I)
_SYMBOL = re.compile(r"[$€£](?=\d)|(?<=\d)%")


def unit(text: str, rng: random.Random) -> str | None:
    """Another unit of measure or currency."""
    if _SYMBOL.search(text) and rng.random() < 0.7:
        match = rng.choice(list(_SYMBOL.finditer(text)))
        new = " dollars" if match[0] == "%" else rng.choice([s for s in "$€£" if s != match[0]])
        return text[: match.start()] + new + text[match.end() :]
    found = [m for m in _UNIT.finditer(text) if _UNIT_PLACE.search(text[: m.start()])]
    found = [m for m in found if not re.match(r" (?:hand|day|off|old)\b", text[m.end() :]) and m[0].lower() not in ("second", "stone", "ton", "g")]
    if not found:
        return None
    match = rng.choice(found)
    choices = [u for u in _UNIT_OF[match[0].lower()] if not compiled(rf"\b{u}", re.I).search(text) and u not in ("second", "stone")]
    if text[: match.start()].rstrip().lower().endswith((" a", " an", "a")):
        vowel = text[: match.start()].rstrip().lower().endswith("an")
        choices = [u for u in choices if (u[0] in "aeio" or u.startswith("hour")) == vowel]
    return put(text, match, rng.choice(choices)) if choices else None


_DAY = re.compile(r"\b(?:" + "|".join(DAYS) + r")\b", re.I)
_MONTH = re.compile(r"\b(?:" + "|".join(m for m in MONTHS if m not in ("March", "May")) + r")\b|\b(?:March|May)(?= \d)", re.I)
_RELATIVE = {
    "today": ["tomorrow", "yesterday"], "tomorrow": ["today", "yesterday"], "yesterday": ["today"],
    "this week": ["next week", "last week"], "next week": ["this week", "last week"], "last week": ["this week", "last month"],
    "this month": ["last month", "next month"], "last month": ["this month", "last year"], "next month": ["this month", "next year"],
    "this year": ["last year", "next year"], "last year": ["this year"], "next year": ["this year"],
    "this weekend": ["next weekend", "last weekend"], "next weekend": ["this weekend"], "tonight": ["tomorrow night"],
}  # fmt: skip
_RELATIVE_DAY = re.compile(r"\b(?:" + "|".join(sorted(_RELATIVE, key=len, reverse=True)) + r")\b(?!')", re.I)


def date(text: str, rng: random.Random) -> str | None:
    """Another weekday, month, or day relative to now."""
    choices: list[tuple[re.Match[str], list[str]]] = [(m, DAYS) for m in _DAY.finditer(text)]
    choices += [(m, MONTHS) for m in _MONTH.finditer(text)]
    choices += [(m, _RELATIVE[m[0].lower()]) for m in _RELATIVE_DAY.finditer(text)]
    if not choices:
        return None
    match, others = rng.choice(choices)
    fresh = [o for o in others if o.lower() not in text.lower()]
    if not fresh:
        return None
    new = rng.choice(fresh)
    return put(text, match, new if match[0][0].isupper() else new.lower())


_HALF_DAY = re.compile(r"(?<=\d)\s?([ap])\.?m\b\.?|\b(?<=\d )([ap])\.m\.", re.I)
_DAYTIME = {"morning": "evening", "evening": "morning", "noon": "midnight", "midnight": "noon", "afternoon": "morning"}
_DAYTIME_WORD = re.compile(r"\b(?:" + "|".join(_DAYTIME) + r")\b", re.I)


def ampm(text: str, rng: random.Random) -> str | None:
    """am for pm, morning for evening, noon for midnight."""
    found = list(_HALF_DAY.finditer(text))
    if found:
        match = rng.choice(found)
        swapped = match[0].translate(str.maketrans("apAP", "paPA"))
        return text[: match.start()] + swapped + text[match.end() :]
    words = [m for m in _DAYTIME_WORD.finditer(text) if not re.search(r"\bgood $", text[: m.start()], re.I)]
    words = [m for m in words if _DAYTIME[m[0].lower()] not in text.lower()]
    if not words:
        return None
    match = rng.choice(words)
    return put(text, match, _DAYTIME[match[0].lower()])
