"""Names with braces: `h.{blocks}.{weight,bias}` → the names it stands for."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from xavinit.errors import SpecError
from xavinit.spec.expressions import evaluate
from xavinit.wording import format_value

MOST_TENSORS = 10**6  # in a spec

_PIECE = re.compile(r"(\{\{)|(\}\})|\{([^{}]*)\}|([{}])|([^{}]+)")


class Brace(Struct, frozen=True):
    """One brace of a pattern: its text as written, and the words it stands for."""

    text: str
    words: range | tuple[str, ...]

    @property
    def count(self) -> int:
        if isinstance(self.words, range):
            return self.words.stop - self.words.start  # len() fails from 2⁶³ on
        return len(self.words)


class Pattern(Struct, frozen=True):
    """A name in pieces: literal text and braces by turns."""

    pieces: tuple[str | Brace, ...]

    @property
    def braces(self) -> tuple[Brace, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Brace))

    @property
    def count(self) -> int:
        return math.prod(brace.count for brace in self.braces)

    def expand(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each name with the words of its braces, the last brace fastest."""
        braces = self.braces
        if not braces:
            yield "".join(map(str, self.pieces)), ()
            return
        if self.count == 0:
            return  # beside an empty brace another may be too large to list
        form = "".join("%s" if isinstance(p, Brace) else p.replace("%", "%%") for p in self.pieces)
        for words in itertools.product(*([str(w) for w in b.words] for b in braces)):
            yield form % words, words


def parse_pattern(text: str, dims: Mapping[str, int]) -> Pattern:
    """The pattern of a tensor's name.

    >>> [name for name, _ in parse_pattern("h.{1..2}.{w,b}", {}).expand()]
    ['h.1.w', 'h.1.b', 'h.2.w', 'h.2.b']
    """
    if "{" not in text and "}" not in text:
        return Pattern((text,))
    return Pattern(
        tuple(
            piece if literal else Brace(piece, _parse_words(piece, text, dims))
            for literal, piece in _split(text)
        )
    )


class Reference(Struct, frozen=True):
    """A `stream` or `tied` in pieces: literal text, and indices into the name's braces."""

    pieces: tuple[str | int, ...]

    def fill(self, words: tuple[str, ...]) -> str:
        """The reference of the one name whose braces stand for these words."""
        return "".join(words[piece] if isinstance(piece, int) else piece for piece in self.pieces)


def parse_reference(text: str, braces: tuple[Brace, ...]) -> Reference:
    """The reference that stands beside a name with these braces; its own are among them, by text.

    Where the name has several braces of one text, they are taken in order.

    >>> pattern = parse_pattern("dec.{2}.{w,b}", {})
    >>> reference = parse_reference("enc.{2}.{w,b}", pattern.braces)
    >>> [reference.fill(words) for _, words in pattern.expand()]
    ['enc.0.w', 'enc.0.b', 'enc.1.w', 'enc.1.b']
    """
    places: dict[str, list[int]] = {}
    for index, brace in enumerate(braces):
        places.setdefault(brace.text, []).append(index)
    taken: dict[str, int] = {}
    pieces: list[str | int] = []
    for literal, piece in _split(text):
        if literal:
            pieces.append(piece)
            continue
        if piece not in places:
            raise SpecError(
                f"a brace must be one of the name's own; got {{{piece}}} in {format_value(text)}",
                hint="write {{ and }} for literal braces",
            )
        turn = taken.get(piece, 0)
        taken[piece] = turn + 1
        pieces.append(places[piece][turn % len(places[piece])])
    return Reference(tuple(pieces))


def _split(text: str) -> Iterator[tuple[bool, str]]:
    """(is it literal, the text), `{{` and `}}` already undone."""
    for match in _PIECE.finditer(text):
        left, right, inside, stray, plain = match.groups()
        if stray:
            raise SpecError(
                f"a brace must be closed; got {format_value(text)}",
                hint="write {{ or }} for a literal brace",
            )
        if inside is None:
            yield True, "{" if left else "}" if right else plain
        else:
            yield False, inside


def _parse_words(inside: str, text: str, dims: Mapping[str, int]) -> range | tuple[str, ...]:
    if "," in inside:
        return tuple(word.strip() for word in inside.split(","))
    first, dots, last = inside.partition("..")
    try:
        if not dots:
            start, stop = 0, evaluate(inside, dims)
        else:
            start, stop = evaluate(first, dims), evaluate(last, dims) + 1
    except SpecError as error:
        error.fact = f"brace {{{inside}}}: {error.fact}"
        raise
    if start < 0 or stop < start + bool(dots):
        raise SpecError(
            "a brace must be {n} with n of at least 0, or {a..b} with 0 ≤ a ≤ b; "
            f"got {{{inside}}} in {format_value(text)}"
        )
    return range(start, stop)
