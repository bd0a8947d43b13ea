"""What families have in common by their names → defaults and rules; the rest stays their own.

A rule's glob is taken only where it matches no family that it should not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from xavinit.deriving.values import Family
from xavinit.spec import parse_glob

Keys = Mapping[str, Any]

MOST_RULES = 24
_NUMBERS_OF_GLOBS = 3
_MOST_SAMPLES = 300
_FEWEST = 2  # families that a rule made for them is for; one alone says it itself
_LONGEST_NAME = 200  # characters of a name that globs are made of
# Ends of names that rules are known by, before any is made of the names at hand. ? is a digit.
_ENDS = (
    "bias", "norm.weight", "Norm.weight", "norm?.weight", "ln_?.weight", "bn?.weight",
    "layernorm_*.weight", "ln_f.weight", "bias_?h_l*", "norm.scale", "norm*.weight",
    "embed*.weight",
)  # fmt: skip
_WILD = re.compile(r"[*?\[]")
_PARTS = re.compile(r"[./](?=[^./])")
_DIGIT = re.compile(r"(?<=[A-Za-z_])[0-9](?=[./])")
_NUMBERED = re.compile(r"_[0-9]+\Z")


class Rule(Struct, frozen=True):
    """A rule of the spec, and what a comment says of it."""

    glob: str
    keys: Keys
    note: str = ""


class Settled(Struct, frozen=True):
    """The rules, and what each family still says itself."""

    rules: tuple[Rule, ...]
    own: tuple[Keys, ...]


def make_rules(
    families: Sequence[Family],
    wanted: Sequence[Keys],
    notes: Sequence[Mapping[str, str]],
    fixed: frozenset[int],
) -> Settled:
    """Rules for the keys that families want beyond the defaults.

    `notes` are what a comment says of each key. `fixed` are the numbers of families that say all
    of it themselves: rules may match them, and change nothing.
    """
    globs: list[set[str]] = []
    totals: dict[str, int] = {}
    for number, family in enumerate(families):
        each = [] if number in fixed else [_list_globs(name) for name in _list_samples(family)]
        globs.append(set.intersection(*each) if each else set())
        for glob in set().union(*each):
            totals[glob] = totals.get(glob, 0) + 1
    own: list[dict[str, Any]] = [dict(keys) for keys in wanted]
    chosen: dict[str, dict[str, Any]] = {}
    told: dict[str, str] = {}
    for (key, _), numbers in sorted(
        _group(families, wanted, fixed).items(), key=lambda item: -len(item[1])
    ):
        for glob, covered in _cover(numbers, globs, totals, MOST_RULES - len(chosen)):
            chosen.setdefault(glob, {})[key] = wanted[covered[0]][key]
            if said := notes[covered[0]].get(key, ""):
                told[glob] = said
            for number in covered:
                own[number].pop(key, None)
    rules = tuple(Rule(glob, keys, told.get(glob, "")) for glob, keys in chosen.items())
    return Settled(rules, tuple(own))


def _list_samples(family: Family) -> list[str]:
    """Names of a family such that a glob made here that matches any of all, matches one of these.

    Globs hold numbers of the last parts of a name alone; so these run over all of their values.
    """
    first = [str(run[0]) for run in family.runs]
    names = {family.first: None, family.last: None}  # a set with an order
    for number in range(len(first))[-_NUMBERS_OF_GLOBS:]:
        for value in family.runs[number][:_MOST_SAMPLES]:
            words = [*first[:number], str(value), *first[number + 1 :]]
            names[family.write_name(words)] = None
    return list(names)


def _group(
    families: Sequence[Family], wanted: Sequence[Keys], fixed: frozenset[int]
) -> dict[tuple[str, str], list[int]]:
    """The families that want a value of a key, by both, and by what the source says of it."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, keys in enumerate(wanted):
        if number not in fixed:
            for key, value in keys.items():
                told = json.dumps(value, sort_keys=True)
                note = families[number].note if key == "init" else ""
                groups.setdefault((key, f"{told} {note}"), []).append(number)
    return groups


def _cover(
    numbers: Sequence[int], globs: Sequence[set[str]], totals: Mapping[str, int], most: int
) -> Iterator[tuple[str, list[int]]]:
    """Globs that match families of these numbers alone, the widest first, and whom they are for."""
    matched: dict[str, list[int]] = {}
    for number in numbers:
        for glob in globs[number]:
            matched.setdefault(glob, []).append(number)
    exact = [glob for glob, found in matched.items() if len(found) == totals[glob]]
    exact.sort(key=lambda glob: (-len(matched[glob]), _measure(glob), glob))
    left = set(numbers)
    for glob in exact[:10_000]:
        covered = [number for number in matched[glob] if number in left]
        if most <= 0 or not left:
            return
        if len(covered) >= (1 if glob in _USUAL else _FEWEST):
            left -= set(covered)
            most -= 1
            yield glob, covered


def _measure(glob: str) -> tuple[int, bool, int]:
    """Which of two globs reads better: fewer wildcards, whole words, shorter, in this order."""
    return len(_WILD.findall(glob)), glob[1:2] not in (".", "/"), len(glob)


def _list_globs(name: str) -> set[str]:
    """The globs that are made of a name; every glob made here that matches it."""
    if len(name) > _LONGEST_NAME or _WILD.search(name):
        return set()
    found = {glob for glob, matches in _KNOWN if matches(name)}
    starts = [match.end() for match in _PARTS.finditer(name)][-8:]
    if not starts:
        return found
    for start in starts[-3:]:
        tail = name[start - 1 :]
        if tail[1:].isdigit():
            continue
        found |= {f"*{tail}", f"*{_DIGIT.sub('?', tail)}"}
    for start in starts[-2:]:
        if start > starts[0]:
            found.add(f"{name[: starts[0]]}*{name[start - 1 :]}")
    end = starts[-1]
    if name[end - 6 : end] == "/vars/" and len(starts) > 1:
        end = starts[-2]
    for start in (0, *starts):
        if start < end:
            word = name[start : name.index(name[end - 1], start)]
            pieces = _NUMBERED.sub("", word).split("_")
            before = f"*{name[start - 1]}" if start else ""
            for count in range(1, len(pieces) + 1 if word != pieces[0] or name[end] == "v" else 1):
                start_of_word = "_".join(pieces[:count]) + ("_" if count < len(pieces) else "")
                if pieces[0]:
                    found.add(f"{before}{start_of_word}*{name[end - 1 :]}")
    return found


def _make_known(ends: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for end in ends:
        for glob in (f"*{end}", f"*.{end}"):
            yield glob, parse_glob(glob).matches


_KNOWN = tuple(_make_known(_ENDS))
_USUAL = frozenset(glob for glob, _ in _KNOWN)
