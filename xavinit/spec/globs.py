"""The globs of rules, matched without backtracking.

A glob means what `fnmatch` means by it, case counting. Its text between two stars is found by the
first place where it stands, so that nothing is tried twice.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct

from xavinit.errors import SpecError
from xavinit.spec.names import LONGEST_NAME
from xavinit.wording import format_value

LONGEST_GLOB = LONGEST_NAME  # characters; the shortest glob of a name may be the name

_SPECIAL = re.compile(r"[*?\[]")
_SPECIAL_WITHOUT_SETS = re.compile(r"[*?]")


class Segment(Struct, frozen=True, dict=True):  # dict: for the cached property
    """What stands between two stars of a glob: text, or as many wildcards as it is wide."""

    width: int
    literal: str | None  # None: it has a ? or a set
    glob: str = ""  # the same as a glob that fnmatch knows
    texts: tuple[str, ...] = ("",)  # before, between and after its wildcards

    def stands_at(self, name: str, position: int) -> bool:
        if self.literal is not None:
            return name.startswith(self.literal, position)
        return self._pattern.match(name, position) is not None

    def find(self, name: str, start: int, stop: int) -> int:
        """The first place within these bounds, or −1."""
        if self.literal is not None:
            return name.find(self.literal, start, stop)
        found = self._pattern.search(name, start, stop)
        return found.start() if found else -1

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Made for the first name that needs it: most fail a test that is cheaper."""
        return re.compile(fnmatch.translate(self.glob + "*"))


class Glob(Struct, frozen=True):
    """A glob in segments: at a name's start, between, at its end; without a star the start only."""

    first: Segment
    between: tuple[Segment, ...] = ()
    last: Segment | None = None

    @property
    def width(self) -> int:
        """The length of the shortest name that it may match."""
        last = 0 if self.last is None else self.last.width
        return self.first.width + sum(segment.width for segment in self.between) + last

    def matches(self, name: str) -> bool:
        if self.last is None:
            return len(name) == self.first.width and self.first.stands_at(name, 0)
        stop = len(name) - self.last.width
        position = self.first.width
        if stop < position or not self.first.stands_at(name, 0):
            return False
        if not self.last.stands_at(name, stop):
            return False
        for segment in self.between:
            position = segment.find(name, position, stop)
            if position < 0:
                return False
            position += segment.width
        return True


def parse_glob(text: str) -> Glob:
    """The glob of a text.

    >>> [parse_glob("*.[wb]?").matches(name) for name in ("h.w0", "h.w", "h.c0")]
    [True, False, False]
    """
    if len(text) > LONGEST_GLOB:
        raise SpecError(
            f"a glob must be at most {LONGEST_GLOB:,} characters; "
            f"got {len(text)}: {format_value(text)}"
        )
    segments: list[list[str | None]] = [[]]
    sources: list[str] = [""]
    for literal, source in _split(text):
        if source == "*":
            segments.append([])
            sources.append("")
        else:
            segments[-1].append(literal)
            sources[-1] += source
    first, *rest = map(_make_segment, segments, sources)
    if not rest:
        return Glob(first)
    return Glob(first, tuple(segment for segment in rest[:-1] if segment.width), rest[-1])


def _split(text: str) -> Iterator[tuple[str | None, str]]:
    """(the text, or None of a wildcard; the same as a glob), a star or a wildcard at a time."""
    position, last_close = 0, text.rfind("]")
    special = _SPECIAL
    while found := special.search(text, position):
        start = found.start()
        inside = start + 1
        if found[0] == "[":
            inside += text.startswith("!", inside)
            inside += text.startswith("]", inside)  # a set may begin with what else would close it
            if inside > last_close:  # this one is not closed, nor is any after it
                special = _SPECIAL_WITHOUT_SETS
                continue
            inside = text.index("]", inside) + 1
        if start > position:
            yield text[position:start], text[position:start].replace("[", "[[]")
        position = inside
        yield None, text[start:position]
    if position < len(text):
        yield text[position:], text[position:].replace("[", "[[]")


def _make_segment(pieces: list[str | None], source: str) -> Segment:
    runs = [""]
    wildcards = 0
    for piece in pieces:
        if piece is None:
            wildcards += 1
            runs.append("")
        else:
            runs[-1] += piece
    width = wildcards + sum(map(len, runs))
    return Segment(width, None if wildcards else runs[0], source, tuple(runs))
