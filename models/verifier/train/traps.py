"""Edits that change what a prompt asks for. Each takes a prompt and returns another one, or None where it cannot be sure.

An edit never guesses: it prefers no trap to one that might keep the meaning.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable

from lexicon import DAYS, MONTHS, antonyms, compiled, entities, lines, replace_cased, siblings
from quantity_traps import ampm, date, number, put, unit

Edit = Callable[[str, random.Random], str | None]


def articles(text: str) -> str:
    """'a employee' to 'an employee'."""
    text = re.sub(r"\b([Aa]) (?=(?:[aeio]|u(?!s|ni|k))\w)", r"\1n ", text)
    return re.sub(r"\b([Aa])n (?=[b-df-gj-np-tv-zB-DF-GJ-NP-TV-Z]\w)", r"\1 ", text)


def at_end(text: str, addition: str) -> str:
    """Adds words before the final punctuation."""
    tail = re.search(r"[\s?.!,]*$", text)
    cut = tail.start() if tail else len(text)
    return f"{text[:cut]} {addition}{text[cut:].strip()}"


_NEGATIONS: list[tuple[str, str]] = [
    (r"^(why (?:is|are|was|were|does|do|did|has|have|can|should|would|will) (?:(?:my|the|a|this|that) \w+ |it |i |you |we |people ))(?!not)", r"\1not "),
    (r"^((?:which|what) \w+ (?:is|are|can|should|will) )(?!not|the|it|there)(?=\w+)", r"\1not "),
    (r"^(what (?:can|should|must|will) (?:i|we|you) )(?!not)", r"\1not "),
    (r"(?<!do )(?<!can )(?<!did )(?<!should )(?<!would )(?<!could )(?<!may )(?<!will )\b(i )(want|need|like|have|plan|know|think|see|use|own|work|live|get|receive|remember|understand) ", r"\1do not \2 "),
    (r"\b(i(?:'ve| have) )(received|gotten|paid|made|used|seen|tried|lost|ordered|been|got|had|authorized) ", r"\1not \2 "),
    (r"\b(i(?:'m| am) )(?!not)(?=\w+ing )", r"\1not "),
    (r"(?<!did )\b(i )(made|did|got|received|paid|used|ordered|authorized|lost|sent|bought|changed|tried|saw|went) ", r"\1never \2 "),
    (r"\b((?:my|the|this|that) \w+ (?:is|was|has|can|will|should|does) )(?!not)", r"\1not "),
    (r"\b((?:people|things|foods|items|products|cards|countries|ones|those|that) (?:who |which |that )?(?:are|is|can|have|will) )(?!not)", r"\1not "),
    (r"^(please )?(play|add|set|turn|send|call|remind|book|open|start|stop|delete|remove|schedule|order|buy|cancel|create|put|read|email|tweet|wake|use|include|mention|transfer|pay|freeze|rate) ", r"\1do not \L\2 "),
    (r"^(how (?:do|can|should) (?:i|we|you) )(?!not)(\w+)", r"\1avoid having to \2"),
    (r"^(how to )(?!not)", r"\1not "),
    (r"^(i(?:'d| would) )(like)", r"\1not \2"),
    (r"^(who|what|which) (is|was|are|were) (allowed|able|required|included|covered|eligible|needed|open|available|accepted)", r"\1 \2 not \3"),
]  # fmt: skip
_POSITIVE: list[tuple[str, str]] = [
    (r"\bcannot\b|\bcan't\b|\bcan not\b", "can"),
    (r"\b(do|does|did|is|are|was|were|has|have|had|should|would|could)n't\b", r"\1"),
    (r"\b(do|does|did|is|are|was|were|has|have|had|should|would|could|can|will|i'm|am|it's|may|must) not (?!only)", r"\1 "),
    (r"\bwon't\b", "will"),
    (r"\b(i|it|was|is|has|have) never\b", r"\1 always"),
]


def negation(text: str, rng: random.Random) -> str | None:
    """Adds a negation to a statement, an order or a question about why, what or how; or takes one away."""
    if re.search(r"\b(?:not|never|no|without|\w+n't|cannot|cant|dont|isnt|doesnt|wont|didnt)\b", text, re.I):
        inside = [(p, r) for p, r in _POSITIVE if compiled(p, re.I).search(text) and not re.match(r"\w+n't", text)]
        if not inside or len(re.findall(r"\bnot\b|n't\b|\bnever\b|\bno\b|\bcannot\b", text, re.I)) != 1:
            return None
        pattern, new = rng.choice(inside)
        return re.sub(pattern, new, text, count=1, flags=re.I)
    fits = [(p, r) for p, r in _NEGATIONS if compiled(p, re.I).search(text)]
    if not fits or re.match(r"(?:is|are|can|could|do|does|did|will|would|should)\b", text, re.I):
        return None  # "isn't it …?" asks the same as "is it …?"
    pattern, new = rng.choice(fits)

    def apply(m: re.Match[str]) -> str:
        made = m.expand(new.replace(r"\1", r"\g<1>" if m[1] else "").replace(r"\L\2", m[m.lastindex or 0].lower()))
        return replace_cased(text[0], made) if m.start() == 0 else made

    return re.sub(pattern, apply, text, count=1, flags=re.I).strip()


_ROLE = [
    re.compile(r"\b(from )(?P<a>(?:my |the |a )?[\w'-]+(?: [\w'-]+){0,3}?)( to | into )(?P<b>(?:my |the |a )?[\w'-]+(?: [\w'-]+)?)(?=$|[?.!,]| (?:for|on|at|in|by|this|next|tomorrow|today|please|and|with|using)\b| account)", re.I),
    re.compile(r"\b(convert |translate |switch |change |export )(?P<a>[\w-]+)( to | into )(?P<b>[\w-]+)(?=$|[?.!,]| (?:for|on|in|using)\b)", re.I),
    re.compile(r"^((?:is|are) (?:an? )?)(?P<a>[\w-]+)( (?:more \w+|less \w+|\w+er|better|worse) than (?:an? )?)(?P<b>[\w-]+)(?=$|[?.!,])", re.I),
    re.compile(r"^((?:can|does|did|do|will|could|should) (?:an? |the )?)(?P<a>[\w-]+)((?: ever)? (?:sue|report|influence|invade|eat|attack|defeat|owe|hire|fire|teach|follow|replace|support|contain|need|cause|beat) (?:an? |the )?)(?P<b>[\w-]+)(?=$|[?.!,])", re.I),
    re.compile(r"\b(use |replace |substitute |embed )(?P<a>[\w-]+)( instead of | with | for | in )(?P<b>[\w-]+)(?=$|[?.!,]| (?:for|on|in|using)\b)", re.I),
]  # fmt: skip


def role_swap(text: str, rng: random.Random) -> str | None:
    """Exchanges the two ends of a direction, comparison or deed: from A to B -> from B to A."""
    for pattern in _ROLE:
        match = pattern.search(text)
        if match and match["a"].lower() != match["b"].lower() and match["a"].lower() not in ("it", "this", "them", "that", "one"):
            a, b = match["a"], match["b"]
            if re.search(r"\b(?:me|you|be|get|see|go|do|home|here|there|now|time|start|end)$", a + " " + b, re.I):
                continue
            return articles(f"{text[: match.start()]}{match[1]}{b}{match[3]}{a}{text[match.end() :]}")
    return None


def fill(text: str, rng: random.Random) -> str:
    """Fills {city}, {month}, … of a scope or scene."""
    pools = {**siblings(), **entities(), "month": MONTHS, "day": DAYS}
    return re.sub(r"\{(\w+)\}", lambda m: rng.choice(pools[m[1]]), text)


@functools.cache
def scope_groups() -> list[list[str]]:
    """Groups of limits that exclude each other."""
    return [[s.strip() for s in line.split("|")] for line in lines("scopes.txt")]


def scope(text: str, rng: random.Random) -> str | None:
    """Adds a limit to a question: in Norway, for seniors, without a receipt."""
    if not re.match(r"(?:how|what|where|when|why|who|which|can|could|is|are|do|does|should|may|will)\b", text, re.I):
        return None
    if len(text.split()) > 14 or re.search(r"[.?!].+\w", text) or re.search(r"\b(?:you|your name|we)\b", text, re.I):
        return None
    groups = scope_groups()
    if not re.search(r"\b(?:i|my)\b", text, re.I):
        groups = [g for g in groups if re.match(r"for|in \{|during|at |after \{|before|while pregnant", g[0])]
    addition = fill(rng.choice(rng.choice(groups)), rng)
    if addition.split()[-1].lower() in text.lower() or compiled(rf"\b{addition.split()[0]} ").search(text.lower()):
        return None
    return at_end(text, addition)


_OTHERS = ["my wife's", "my husband's", "my son's", "my mother's", "my friend's", "my boss's", "my neighbor's", "my company's", "your", "his", "her", "their"]
_PEOPLE = ["my wife", "my husband", "my son", "my daughter", "my mother", "my friend", "my boss", "my neighbor", "my tenant", "my employer"]


def subject(text: str, rng: random.Random) -> str | None:
    """Whose thing, or who acts: my -> my wife's; can I -> can my son."""
    mine = [m for m in re.finditer(r"\b(?:my|our)(?= \w+)(?! (?:wife|husband|son|mother|father|friend|boss|daughter|god|lord|name|own|self))", text, re.I)]
    mine = [m for m in mine if not re.search(r"\b(?:in|on) $", text[: m.start()])]
    acts = [m for m in re.finditer(r"^(how|where|when|why)? ?(can|could|should|may|must|will) i\b", text, re.I)]
    acts += [m for m in re.finditer(r"^(how|where|when|why|what) (do) i\b", text, re.I)]
    if acts and rng.random() < (0.4 if mine else 1) and not re.search(r"\b(?:me|myself|my)\b", text, re.I):
        match = acts[0]
        verb = {"do": "does"}.get(match[2].lower(), match[2])
        start = f"{match[1]} " if match[1] else ""
        return replace_cased(text[0], start[:1] or verb[:1]) + (start + verb)[1:] + f" {rng.choice(_PEOPLE)}" + text[match.end() :]
    if not mine:
        return None
    return put(text, rng.choice(mine), rng.choice(_OTHERS))


def antonym(text: str, rng: random.Random) -> str | None:
    """A word by its opposite."""
    fits: list[tuple[re.Match[str], str]] = []
    for word, opposite, skip in antonyms():
        match = compiled(rf"(?<![\w'-]){word}(?![\w'-])", re.I).search(text)
        if not match or (skip and compiled(skip, re.I).search(text)) or compiled(rf"\b{opposite}\b", re.I).search(text):
            continue
        if re.search(r"\b(?:how|as|so|at|up|log|sign|find|look) $", text[: match.start()], re.I):
            continue  # "how fast", "at least": no opposite in the other word
        fits.append((match, opposite))
    if not fits:
        return None
    match, opposite = rng.choice(fits)
    return articles(put(text, match, opposite))


_FIXED = re.compile(r"hot dog|ice cream|chicken soup|orange juice|bank of|credit card|back pain|back (?:up|to)|call back|water bill|(?:come|go|get|give|money|send|put|turn|talk|text) back|table (?:for|in|at|on)|book|bass|front|green card|blue tooth|black friday|red flag|white noise", re.I)  # fmt: skip


def _swap_member(text: str, rng: random.Random, pools: dict[str, list[str]], cased: bool) -> str | None:
    """Replaces one name or thing of a category by another of the same category."""
    fits: list[tuple[re.Match[str], list[str]]] = []
    for members in pools.values():
        for word in members:
            forms = [(word, members)]
            if not cased and word.endswith("s") and not word.endswith("ss"):
                forms.append((word[:-1], [m[:-1] for m in members if m.endswith("s") and not m.endswith(("ss", "es"))]))
            for form, others in forms:
                if form.lower() not in text.lower():
                    continue
                for match in compiled(rf"(?<![\w'-]){re.escape(form)}(?![\w'-]| (?:street|avenue|road|county))", 0 if cased else re.I).finditer(text):
                    fits.append((match, [o for o in others if o.lower() not in text.lower()]))
    fits = [f for f in fits if f[1]]
    if not fits:
        return None
    match, others = rng.choice(fits)
    new = rng.choice(others)
    return articles(text[: match.start()] + (new if cased else replace_cased(match[0], new)) + text[match.end() :])


def sibling(text: str, rng: random.Random) -> str | None:
    """Another thing of the same kind: oats -> barley."""
    return None if _FIXED.search(text) else _swap_member(text, rng, siblings(), cased=False)


_AMBIGUOUS_LOWER = {
    "turkey", "china", "target", "discover", "apple", "swift", "java", "ruby", "oracle", "word", "notion", "slack", "zoom", "opera",
    "brave", "safari", "chrome", "delta", "galaxy", "pixel", "mercury", "lead", "iron", "gold", "silver", "will", "grace", "lima",
    "nice", "jordan", "chase", "visa", "rust", "target", "won", "rand", "pounds", "emma", "dune", "orlando", "austin", "florence", "perth", "monitor", "julia", "scala", "bash", "lua", "perl", "polish", "latin", "mars", "pandora", "tidal", "washington", "georgia", "victoria", "tesla",
}  # fmt: skip


def entity(text: str, rng: random.Random) -> str | None:
    """Another city, country, brand, person, language, …"""
    made = _swap_member(text, rng, entities(), cased=True)
    if made or text != text.lower():
        return made
    lower = {k: [w.lower() for w in v if w.lower() not in _AMBIGUOUS_LOWER] for k, v in entities().items() if k not in ("currency", "element", "work")}
    return _swap_member(text, rng, lower, cased=True)


EDITS: dict[str, Edit] = {
    "number": number, "unit": unit, "date": date, "ampm": ampm, "negation": negation, "role_swap": role_swap,
    "scope": scope, "subject": subject, "antonym": antonym, "sibling": sibling, "entity": entity,
}  # fmt: skip
