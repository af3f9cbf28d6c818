"""Reads WordNet 3.0's database files (Debian package wordnet-base, /usr/share/wordnet)."""

from __future__ import annotations

import collections
import pathlib

POS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
Key = tuple[str, str]  # part of speech, offset


class WordNet:
    """Words, their senses in order of frequency, and the pointers between senses."""

    def __init__(self, folder: str) -> None:
        self.lemmas: dict[Key, list[str]] = {}
        self.pointers: dict[Key, list[tuple[str, Key, str]]] = {}
        self.senses: dict[tuple[str, str], list[Key]] = {}
        self.children: dict[Key, list[Key]] = collections.defaultdict(list)
        for name, pos in POS.items():
            self._read_data(pathlib.Path(folder) / f"data.{name}", pos)
            self._read_index(pathlib.Path(folder) / f"index.{name}", pos)
        for key, pointers in self.pointers.items():
            for symbol, target, _ in pointers:
                if symbol in ("@", "@i"):
                    self.children[target].append(key)

    def _read_data(self, path: pathlib.Path, pos: str) -> None:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue
            fields = line.split(" | ")[0].split()
            count = int(fields[3], 16)
            key = (pos, fields[0])
            self.lemmas[key] = [fields[4 + 2 * i].split("(")[0].replace("_", " ") for i in range(count)]
            at = 4 + 2 * count
            self.pointers[key] = [
                (fields[at + 1 + 4 * i], (fields[at + 3 + 4 * i].replace("s", "a"), fields[at + 2 + 4 * i]), fields[at + 4 + 4 * i])
                for i in range(int(fields[at]))
            ]

    def _read_index(self, path: pathlib.Path, pos: str) -> None:
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("  "):
                fields = line.split()
                self.senses[(fields[0].replace("_", " "), pos)] = [(pos, o) for o in fields[-int(fields[2]) :]]

    def words(self) -> set[str]:
        """All single lower-case words."""
        return {word for word, _ in self.senses if word.isalpha() and word == word.lower()}

    def synsets(self, word: str) -> set[Key]:
        """Every sense of a word, in all parts of speech."""
        return {key for pos in POS.values() for key in self.senses.get((word, pos), [])}

    def parents(self, key: Key) -> set[Key]:
        """Direct hypernyms."""
        return {target for symbol, target, _ in self.pointers[key] if symbol in ("@", "@i")}

    def opposites(self) -> set[tuple[str, str]]:
        """All pairs of words marked as antonyms."""
        found = set()
        for key, pointers in self.pointers.items():
            for symbol, target, places in pointers:
                if symbol == "!":
                    mine = self.lemmas[key][int(places[:2], 16) - 1].lower()
                    found.add((mine, self.lemmas[target][int(places[2:], 16) - 1].lower()))
        return found

    def instances(self, word: str) -> list[str]:
        """Names of all instances below a noun: cities, countries, writers."""
        found, open_ = [], list(self.senses.get((word, "n"), []))
        while open_:
            for child in self.children.get(open_.pop(), []):
                if any(symbol == "@i" for symbol, _, _ in self.pointers[child]):
                    found.append(self.lemmas[child][0])
                else:
                    open_.append(child)
        return [name for name in found if name[:1].isupper()]

    def siblings(self, noun: str) -> list[str]:
        """Other nouns directly under the same hypernym as the commonest sense of this one."""
        first = self.senses.get((noun, "n"), [])[:1]
        own = {w.lower() for key in self.synsets(noun) for w in self.lemmas[key]}
        found = [self.lemmas[c][0].lower() for key in first for p in self.parents(key) for c in self.children[p] if c != key]
        return [w for w in found if w not in own]
