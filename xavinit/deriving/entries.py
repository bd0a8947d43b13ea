"""Families with dims and keys → the entries of a spec: words folded, in the order of blocks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from xavinit.deriving.values import Family, Size

MOST_WORDS = 24  # of a brace

Measure = Callable[["Entry"], int]


class Entry(Struct, frozen=True):
    """One key of a spec's `tensors`.

    `parts` are the pieces of its name with their dividers, braces within; `is_literal` says of
    each whether it is text alone, of which words are made.
    """

    parts: tuple[str, ...]
    is_literal: tuple[bool, ...]
    shape: tuple[Size, ...]
    keys: Mapping[str, Any]
    note: str
    index: int
    kin: object = None  # the same for modules that have the same parts

    @property
    def name(self) -> str:
        return "".join(self.parts)

    @property
    def head(self) -> str:
        """The name up to and including its first brace; all of it where there is none."""
        name, start = self.name, 0
        while (start := name.find("{", start)) >= 0:
            if name[start : start + 2] != "{{":
                return name[: name.index("}", start) + 1]
            start += 2
        return name


def make_parts(texts: Sequence[str], braces: Sequence[str]) -> tuple[list[str], list[bool]]:
    """The parts of a name that is these texts with braces between, and which are literal.

    Each part ends with a dot or slash but the last.
    """
    parts, literal = [""], [True]
    for number, text in enumerate(texts):
        for char_run in _split_dividers(text):
            parts[-1] += char_run.replace("{", "{{").replace("}", "}}")
            if char_run[-1:] in (".", "/"):
                parts.append("")
                literal.append(True)
        if number < len(braces):
            parts[-1] += braces[number]
            literal[-1] = literal[-1] and not braces[number].startswith("{")
    return parts, literal


def _split_dividers(text: str) -> Iterable[str]:
    start = 0
    for stop, char in enumerate(text, 1):
        if char in "./":
            yield text[start:stop]
            start = stop
    if start < len(text):
        yield text[start:]


def find_kin(families: Sequence[Family]) -> list[int]:
    """For each family a number that its module shares with modules of the same parts and shapes."""
    modules: dict[Any, set[Any]] = {}
    keys = []
    for family in families:
        stem, divider, part = _split_last(family.texts[-1])
        key = (*family.texts[:-1], stem, family.runs) if divider else family.texts
        keys.append(key)
        modules.setdefault(key, set()).add((part, family.shape, family.dtype))
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(frozenset(modules[key]), len(numbers)) for key in keys]


def _split_last(text: str) -> tuple[str, str, str]:
    at = max(text.rfind("."), text.rfind("/"))
    return text[: max(at, 0)], text[at : at + 1] if at >= 0 else "", text[at + 1 :]


def fold_words(entries: Sequence[Entry], measure: Measure, longest: int) -> list[Entry]:
    """Entries that differ in one word alone, as one with a brace of words.

    From the last part of the name to the first, but not before the first brace, where it would
    break the order of blocks.
    """
    folded = list(entries)
    for back in range(1, 3):
        groups: dict[Any, list[Entry]] = {}
        for entry in folded:
            at = len(entry.parts) - back
            key: Any = entry.index
            if _may_fold(entry, at):
                told = json.dumps(entry.keys, sort_keys=True)
                end = entry.parts[at][-1:]
                divider = end if end in "./" else ""
                key = (
                    entry.parts[:at], divider, entry.parts[at + 1 :], entry.shape, told, entry.note,
                    entry.kin if back > 1 else None,
                )  # fmt: skip
            groups.setdefault(key, []).append(entry)
        folded = [
            made
            for group in groups.values()
            for made in _join(group, len(group[0].parts) - back, measure, longest)
        ]
    return folded


def _may_fold(entry: Entry, at: int) -> bool:
    if at < 0 or not entry.is_literal[at] or "tied" in entry.keys:
        return False
    word = entry.parts[at].rstrip("./")
    if not word or any(char in word for char in ",{}") or word != word.strip():
        return False
    before = entry.is_literal[:at]
    return not all(before) or (at >= len(entry.parts) - 2 and all(entry.is_literal))


def _join(group: Sequence[Entry], at: int, measure: Measure, longest: int) -> Iterable[Entry]:
    """The entries of a group in as few as fit a line."""
    waiting: list[Entry] = []
    for entry in group:
        more = [*waiting, entry]
        if waiting and (len(more) > MOST_WORDS or measure(_merge(more, at)) > longest):
            yield _merge(waiting, at)
            more = [entry]
        waiting = more
    if waiting:
        yield _merge(waiting, at)


def _merge(group: Sequence[Entry], at: int) -> Entry:
    first = group[0]
    if len(group) == 1:
        return first
    divider = first.parts[at][-1:] if first.parts[at][-1:] in "./" else ""
    words = [entry.parts[at].removesuffix(divider) for entry in group]
    part = f"{_write_words(words)}{divider}"
    return Entry(
        parts=(*first.parts[:at], part, *first.parts[at + 1 :]),
        is_literal=(*first.is_literal[:at], False, *first.is_literal[at + 1 :]),
        shape=first.shape,
        keys=first.keys,
        note=first.note,
        index=first.index,
        kin=first.kin,
    )


def _write_words(words: Sequence[str]) -> str:
    """A brace of words; what they all start or end with stands outside: `{q,k,v}_proj`.

    >>> _write_words(["gate_proj", "up_proj"]), _write_words(["bn1", "bn2"])
    ('{gate,up}_proj', 'bn{1,2}')
    """
    start = _cut_start(_find_start(words), words)
    rest = [word[len(start) :] for word in words]
    end = _cut_end(_find_start([word[::-1] for word in rest])[::-1], rest)
    middle = [word[: len(word) - len(end)] for word in rest]
    return f"{start}{{{','.join(middle)}}}{end}"


def _find_start(words: Sequence[str]) -> str:
    """What all words start with."""
    first, last = min(words), max(words)
    pairs = zip(first, last, strict=False)
    return first[: next((at for at, (a, b) in enumerate(pairs) if a != b), len(first))]


def _cut_start(start: str, words: Sequence[str]) -> str:
    """The common start as far as it is whole words, or what stands before numbers."""
    if start and all(word[len(start) :].isdigit() for word in words):
        return start.rstrip("0123456789")
    return start[: start.rfind("_") + 1]


def _cut_end(end: str, words: Sequence[str]) -> str:
    """The common end as far as it is whole words."""
    end = end[end.find("_") :] if "_" in end else ""
    return "" if any(len(word) == len(end) for word in words) else end


def sort_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Entries in the order of their first tensors, those of one block together."""
    places: dict[str, int] = {}
    entries = sorted(entries, key=lambda entry: entry.index)
    for entry in entries:
        places.setdefault(entry.head, entry.index)
    return sorted(entries, key=lambda entry: (places[entry.head], entry.index))
