"""Edits that keep what a prompt asks for. Each takes a prompt and returns another wording, or None."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from lexicon import ABBREVIATIONS, NUMBER_WORDS, ORDINAL_WORDS, compiled, replace_cased, spellings, synonyms

Edit = Callable[[str, random.Random], str | None]


def case(text: str, rng: random.Random) -> str | None:
    """Other capitals."""
    forms = [text.lower(), text.upper(), text[:1].upper() + text[1:], " ".join(w[:1].upper() + w[1:] for w in text.split(" "))]
    choices = [f for f in forms if f != text]
    return rng.choices(choices, [1 if f.isupper() else 3 for f in choices])[0] if choices else None


class Typo:
    """A slip of the keyboard that makes no other word of `dictionary`."""

    def __init__(self, dictionary: set[str]) -> None:
        self.dictionary = dictionary

    def __call__(self, text: str, rng: random.Random) -> str | None:
        found = [m for m in re.finditer(r"(?<![\w'-])[a-z]{5,}(?![\w'-])", text) if m[0] in self.dictionary]
        if not found:
            return None
        match = rng.choice(found)
        for _ in range(8):
            made = self._slip(match[0], rng)
            forms = {made, made.removesuffix("s"), made.removesuffix("ed"), made.removesuffix("d"), made.removesuffix("ing")}
            if made != match[0] and not forms & self.dictionary:
                return text[: match.start()] + made + text[match.end() :]
        return None

    @staticmethod
    def _slip(word: str, rng: random.Random) -> str:
        """Two letters exchanged, one lost, one doubled or a neighbour hit. The first letter stays."""
        i = rng.randrange(1, len(word) - 1)
        how = rng.random()
        if how < 0.4:
            return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        if how < 0.7:
            return word[:i] + word[i + 1 :]
        if how < 0.85:
            return word[:i] + word[i] + word[i:]
        near = {"a": "s", "e": "r", "i": "o", "o": "i", "u": "y", "n": "m", "m": "n", "t": "r", "r": "t", "s": "a", "d": "f", "l": "k", "c": "v"}
        return word[:i] + near.get(word[i], word[i] + word[i]) + word[i + 1 :]


CONTRACTIONS = [
    ("what is", "what's"), ("how is", "how's"), ("where is", "where's"), ("who is", "who's"), ("when is", "when's"),
    ("i am", "i'm"), ("do not", "don't"), ("cannot", "can't"), ("can not", "can't"), ("does not", "doesn't"), ("is not", "isn't"),
    ("will not", "won't"), ("it is", "it's"), ("i have been", "i've been"), ("did not", "didn't"), ("i would like", "i'd like"),
    ("have not", "haven't"), ("has not", "hasn't"), ("are not", "aren't"), ("was not", "wasn't"), ("could not", "couldn't"),
    ("should not", "shouldn't"), ("i will", "i'll"), ("we are", "we're"), ("you are", "you're"), ("there is", "there's"),
    ("that is", "that's"), ("let us", "let's"), ("i had been", "i'd been"), ("would not", "wouldn't"), ("i have not", "i haven't"),
]  # fmt: skip


def contraction(text: str, rng: random.Random) -> str | None:
    """do not <-> don't; also don't -> dont, as people type it."""
    fits: list[tuple[str, str]] = []
    for long, short in CONTRACTIONS:
        if compiled(rf"\b{long}(?= \w)", re.I).search(text):
            fits.append((rf"\b{long}(?= \w)", short))
        if compiled(rf"\b{short}(?= \w)", re.I).search(text) and long != "can not":
            fits.append((rf"\b{short}(?= \w)", long))
            if short.endswith("n't") or short in ("what's", "i'm", "how's", "where's", "that's"):
                fits.append((rf"\b{short}(?= \w)", short.replace("'", "")))
    if not fits:
        return None
    pattern, new = rng.choice(fits)

    def capital(m: re.Match[str]) -> str:
        made = replace_cased(m[0][:1], new[:1]) + new[1:]
        return re.sub(r"^i(?=\b|m\b)", "I", made) if m[0][0] == "I" else made

    return re.sub(pattern, capital, text, count=1, flags=re.I)


_BEFORE = ["please ", "hi, ", "hello, ", "hey, ", "hi there, ", "excuse me, ", "quick question: ", "good morning, ", "sorry to bother you, ", "ok, ", "hello there, ", "hi! ", "dear assistant, ", "hey there, "]
_AFTER = [" please", ", please", " thanks", ", thanks", ", thank you", " thank you", " pls", ", thanks in advance", ", thank you very much", " plz"]


def lower_first(text: str) -> str:
    """First letter small unless it is 'I' or an acronym."""
    return text if re.match(r"I\b|I'|[A-Z]{2}|(?:[A-Z]\w+ )(?:[A-Z])", text) else text[:1].lower() + text[1:]


def politeness(text: str, rng: random.Random) -> str | None:
    """Greets, begs or thanks."""
    if re.search(r"\b(?:please|thanks|thank|hello|hi|hey|pls|sorry)\b", text, re.I):
        return None
    if rng.random() < 0.5:
        before = rng.choice(_BEFORE)
        if before == "please " and re.match(r"(?:how|what|where|when|why|who|which|is|are|do|does|did|i|my|the|there)\b", text, re.I):
            before = "hi, "
        return before + lower_first(text)
    tail = re.search(r"[\s?.!]*$", text)
    cut = tail.start() if tail else len(text)
    return text[:cut] + rng.choice(_AFTER) + text[cut:].strip()


def synonym(text: str, rng: random.Random) -> str | None:
    """A word or phrase by one of the same meaning."""
    fits: list[tuple[str, str]] = []
    for phrase, other, skip in synonyms():
        if compiled(rf"(?<![\w'-]){phrase}(?![\w'-])", re.I).search(text) and not (skip and compiled(skip, re.I).search(text)) and other not in text.lower():
            fits.append((rf"(?<![\w'-]){phrase}(?![\w'-])", other))
    if not fits:
        return None
    pattern, new = rng.choice(fits)
    made = re.sub(pattern, lambda m: replace_cased(m[0], new), text, count=1, flags=re.I)
    return re.sub(r"\ba (?=[aeio])", "an ", re.sub(r"\ban (?=[bcdfghjklmnpqrstvwxyz])", "a ", made))


OPENINGS: list[tuple[str, list[str]]] = [
    (r"how do i ", ["how can i ", "how to ", "how would i ", "what is the way to ", "can you tell me how to ", "how does one ", "i want to know how to ", "tell me how to ", "how should i ", "what is the best way to ", "how do you ", "show me how to ", "i'd like to know how to ", "explain how to "]),
    (r"how can i ", ["how do i ", "how to ", "show me how to ", "what can i do to ", "tell me how to ", "how could i ", "how might i ", "what is the way to "]),
    (r"how to ", ["how do i ", "how can i ", "what is the way to ", "tell me how to "]),
    (r"what is (?=the |a |an |my )", ["tell me what is ", "can you tell me what is ", "do you know what is ", "i would like to know what is ", "could you tell me ", "i want to know ", "tell me "]),
    (r"what are ", ["tell me what are ", "can you tell me what are ", "i want to know what are ", "do you know what are "]),
    (r"can i ", ["am i able to ", "is it possible to ", "could i ", "may i ", "am i allowed to ", "would i be able to "]),
    (r"(?:can|could) you (?!tell|please)", ["would you ", "please ", "i need you to ", "i want you to ", "will you ", "i would like you to "]),
    (r"(?:can|could) you tell me ", ["please tell me ", "do you know ", "would you tell me ", "i want to know "]),
    (r"i want to (?!know)", ["i would like to ", "i'd like to ", "i wish to ", "i wanna ", "i am looking to "]),
    (r"i(?:'d| would) like to (?!know)", ["i want to ", "i wish to ", "i am looking to "]),
    (r"i need to know ", ["tell me ", "i want to know ", "please tell me ", "i'd like to know "]),
    (r"where can i ", ["where do i ", "where is it possible to ", "tell me where i can ", "where could i ", "do you know where i can "]),
    (r"why is ", ["how come ", "tell me why ", "do you know why "]),
    (r"tell me (?!a |how|what|why|when|where|if|who|to)", ["give me ", "let me know ", "can you tell me ", "please tell me "]),
    (r"tell me (?=how|what|why|when|where|if|who)", ["i want to know ", "can you tell me ", "please tell me ", "let me know ", "i'd like to know "]),
    (r"how much does (?P<x>.+?) cost(?=[?.!]*$)", [r"what is the price of \g<x>", r"how expensive is \g<x>", r"what does \g<x> cost", r"what's the cost of \g<x>"]),
    (r"how long does it take to ", ["how much time does it take to ", "how long will it take to ", "what is the time needed to "]),
    (r"do you have ", ["have you got ", "do you offer "]),
    (r"show me ", ["let me see ", "i want to see ", "please show me ", "can you show me "]),
    (r"play ", ["please play ", "put on ", "i want to hear ", "can you play ", "start playing "]),
    (r"set (?=an? |the |my )", ["please set ", "can you set ", "i want you to set "]),
    (r"remind me ", ["please remind me ", "can you remind me ", "i need you to remind me ", "i'd like you to remind me "]),
    (r"book ", ["please book ", "can you book ", "i want to book ", "i'd like to book ", "i need to book "]),
    (r"find ", ["please find ", "can you find ", "i want you to find "]),
    (r"should i ", ["is it a good idea to ", "would you advise me to ", "do you think i should "]),
    (r"write ", ["please write ", "can you write ", "i need you to write "]),
    (r"explain ", ["please explain ", "can you explain ", "i want you to explain "]),
    (r"is there (?=a way|any way)", ["do you know if there is ", "would there be "]),
    (r"when (?:can|do) i ", ["at what time can i ", "tell me when i can "]),
]  # fmt: skip


def opening(text: str, rng: random.Random) -> str | None:
    """Another way to begin the same question or order."""
    fits = [(p, r) for p, r in OPENINGS if compiled(p, re.I).match(text)]
    if not fits:
        return None
    pattern, ways = rng.choice(fits)
    new = rng.choice(ways)
    match = compiled(pattern, re.I).match(text)
    assert match
    rest = text[match.end() :]
    if new in ("how come ", "tell me why ", "do you know why "):  # "why is my card late" -> "how come my card is late"
        parts = re.match(r"((?:my|the|this|that) \w+)(?: (.+))$|(it|there|he|she) (.+)$", rest, re.I)
        if not parts:
            return None
        rest = f"{parts[1] or parts[3]} is {parts[2] or parts[4]}"
    made = match.expand(new) + rest
    return made[:1].upper() + made[1:] if text[:1].isupper() and rng.random() < 0.8 else made


def spelling(text: str, rng: random.Random) -> str | None:
    """British for American spelling, e-mail for email."""
    fits = [(a, b) for a, b, skip in spellings() if compiled(rf"(?<![\w'-]){a}(?![\w'-])", re.I).search(text) and not (skip and compiled(skip, re.I).search(text))]
    if not fits:
        return None
    a, b = rng.choice(fits)
    return compiled(rf"(?<![\w'-]){a}(?![\w'-])", re.I).sub(lambda m: replace_cased(m[0], b), text)


_LONG = {v.lower(): k for k, v in ABBREVIATIONS.items() if v != "%"}


def number_word(text: str, rng: random.Random) -> str | None:
    """5 <-> five, 50% <-> 50 percent, kg <-> kilograms, $20 <-> 20 dollars, 1,000 <-> 1000, 1st <-> first."""
    fits: list[str] = []
    for m in re.finditer(r"(?<![\w.:/,$€£-])(\d{1,2})(?![\w.:/%-]|,\d)", text):
        if 2 <= int(m[1]) <= 20 and not re.match(r"\s?(?:[ap]\.?m\b|mg|kg|km|lbs|oz|ml)", text[m.end() :], re.I):
            fits.append(text[: m.start()] + NUMBER_WORDS[int(m[1])] + text[m.end() :])
    for m in re.finditer(r"\b(?:" + "|".join(NUMBER_WORDS[2:]) + r")\b(?![ -](?:hundred|thousand|million|hand|" + "|".join(NUMBER_WORDS) + r"))", text):
        if not re.search(r"\b(?:" + "|".join(NUMBER_WORDS) + r"|twenty|thirty|forty|fifty|hundred)[ -]$", text[: m.start()]):
            fits.append(text[: m.start()] + str(NUMBER_WORDS.index(m[0])) + text[m.end() :])
    for long, short in ABBREVIATIONS.items():
        pattern = rf"(?<=\d)\s?{long}\b"
        if compiled(pattern).search(text) and long != "pounds":
            fits.append(re.sub(pattern, short if short == "%" else f" {short}", text, count=1))
    for m in re.finditer(r"(?<=\d)\s?(" + "|".join(map(re.escape, _LONG)) + r")\b", text, re.I):
        if m[1].lower() != "lbs":
            fits.append(f"{text[: m.start()]} {_LONG[m[1].lower()]}{text[m.end() :]}")
    if re.search(r"\d%", text):
        fits.append(re.sub(r"(?<=\d)%", " percent", text, count=1))
    for m in re.finditer(r"\$(\d[\d,.]*\d|\d)(?! ?(?:million|billion|thousand))", text):
        fits.append(f"{text[: m.start()]}{m[1]} dollars{text[m.end() :]}")
    for m in re.finditer(r"\b(\d[\d,.]*\d|\d) dollars\b", text):
        fits.append(f"{text[: m.start()]}${m[1]}{text[m.end() :]}")
    for m in re.finditer(r"(?<![\d,.])(\d{1,3}),(\d{3})(?![\d,])", text):
        fits.append(text[: m.start()] + m[1] + m[2] + text[m.end() :])
    for i, word in enumerate(ORDINAL_WORDS[1:], 1):
        short = {1: "1st", 2: "2nd", 3: "3rd"}.get(i, f"{i}th")
        if compiled(rf"\b{short}\b").search(text):
            fits.append(re.sub(rf"\b{short}\b", word, text, count=1))
        elif word not in ("first", "second") and compiled(rf"\b{word}\b").search(text):
            fits.append(re.sub(rf"\b{word}\b", short, text, count=1))
    fits = [f for f in fits if f != text]
    return rng.choice(fits) if fits else None


def edits(dictionary: set[str]) -> dict[str, Edit]:
    """All variant edits by kind."""
    return {
        "case": case, "typo": Typo(dictionary), "contraction": contraction, "politeness": politeness, "synonym": synonym,
        "opening": opening, "spelling": spelling, "number_word": number_word,
    }  # fmt: skip
