"""Names with braces: `h.{blocks}.{weight,bias}` → the names it stands for."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from xavinit.errors import SpecError
from xavinit.spec.expressions import evaluate
from xavinit.wording import cut, format_value

# Real checkpoints stay far below all of these: their names have less than 300 bytes and 20 parts.
MOST_TENSORS = 10**6  # in a spec
MOST_NAME_BYTES = 64 * 10**6  # of all names, in UTF-8; of all streams and targets of ties too
LONGEST_NAME = 1024  # bytes
MOST_PARTS = 64  # of a name, dots and slashes between
MOST_BRACES = 32  # in a name

_DIM = re.compile(r"[A-Za-z_]")
_PIECE = re.compile(r"(\{\{)|(\}\})|\{([^{}]*)\}|([{}])|([^{}]+)")


class Extent(Struct, frozen=True):
    """How many words a pattern stands for and how large they are, without listing them.

    `nbytes` is the length of all of them together in UTF-8, `longest` that of the longest;
    `dividers` is the most dots and slashes that one of them has.
    """

    count: int = 1
    nbytes: int = 0
    longest: int = 0
    dividers: int = 0

    def __mul__(self, other: Extent) -> Extent:
        """The extent of all pairs: each of these words followed by each of the others."""
        return Extent(
            self.count * other.count,
            self.nbytes * other.count + other.nbytes * self.count,
            self.longest + other.longest,
            self.dividers + other.dividers,
        )

    def __add__(self, other: Extent) -> Extent:
        """The extent of both sets of words together."""
        return Extent(
            self.count + other.count,
            self.nbytes + other.nbytes,
            max(self.longest, other.longest),
            max(self.dividers, other.dividers),
        )


NOTHING = Extent(0)


def measure(words: Collection[str]) -> Extent:
    """The extent of words that are listed."""
    if not words:
        return Extent(0)
    sizes = [len(word) if word.isascii() else len(word.encode()) for word in words]
    dividers = max([word.count(".") + word.count("/") for word in words])
    return Extent(len(sizes), sum(sizes), max(sizes), dividers)


def measure_range(start: int, stop: int, step: int = 1) -> Extent:
    """The extent of the numbers from start to before stop by this step, in decimal."""

    def count(end: int) -> int:
        return max(0, -((start - min(end, stop)) // step))

    total = count(stop)
    digits = len(str(start + step * (total - 1))) if total else 1
    nbytes = sum(
        size * (count(10**size) - count(10 ** (size - 1))) for size in range(2, digits + 1)
    )
    return Extent(total, nbytes + count(10), digits)


class Brace(Struct, frozen=True):
    """One brace of a pattern: its text as written, and the words it stands for."""

    text: str
    words: range | tuple[str, ...]
    extent: Extent


class Pattern(Struct, frozen=True):
    """A name in pieces: literal text and braces by turns."""

    pieces: tuple[str | Brace, ...]
    extent: Extent  # of its names

    @property
    def braces(self) -> tuple[Brace, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Brace))

    @property
    def count(self) -> int:
        return self.extent.count

    @property
    def head(self) -> str | None:
        """The name up to and including its first brace, as it is written; None without a brace."""
        head = ""
        for piece in self.pieces:
            if isinstance(piece, Brace):
                return f"{head}{{{piece.text}}}"
            head += piece.replace("{", "{{").replace("}", "}}")
        return None

    def expand(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each name with the words of its braces, the last brace fastest."""
        return ((name, words) for _, name, words in expand_block([self]))


def expand_block(patterns: Sequence[Pattern]) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """The names of patterns with one head: all of them for its first word, then for the next.

    Each with the number of its pattern and the words of its braces, the last brace fastest.

    >>> block = [parse_pattern(text, {}) for text in ("h.{2}.w", "h.{2}.{a,b}")]
    >>> [name for _, name, _ in expand_block(block)]
    ['h.0.w', 'h.0.a', 'h.0.b', 'h.1.w', 'h.1.a', 'h.1.b']
    """
    forms: list[tuple[int, str, list[list[str]]]] = []
    heads: list[str] = []
    for number, pattern in enumerate(patterns):
        braces = pattern.braces
        if not braces:
            yield number, "".join(map(str, pattern.pieces)), ()
        elif pattern.count:  # beside an empty brace another may be too large to list
            form = "".join(
                "%s" if isinstance(p, Brace) else p.replace("%", "%%") for p in pattern.pieces
            )
            forms.append((number, form, [[str(word) for word in b.words] for b in braces[1:]]))
            heads = heads or [str(word) for word in braces[0].words]
    for head in heads:
        for number, form, rest in forms:
            for words in itertools.product((head,), *rest):
                yield number, form % words, words


def parse_pattern(text: str, dims: Mapping[str, int]) -> Pattern:
    """The pattern of a tensor's name.

    >>> [name for name, _ in parse_pattern("h.{1..2}.{w,b}", {}).expand()]
    ['h.1.w', 'h.1.b', 'h.2.w', 'h.2.b']
    """
    if "{" not in text and "}" not in text:
        pattern = Pattern((text,), measure([text]))
    else:
        pattern = make_pattern(
            piece if literal else Brace(piece, *parse_words(piece, text, dims))
            for literal, piece in split_braces(text)
        )
    check_length(pattern.extent, text)
    return pattern


def make_pattern(pieces: Iterable[str | Brace]) -> Pattern:
    """The pattern that these pieces make."""
    pieces = tuple(pieces)
    extents = (p.extent if isinstance(p, Brace) else measure([p]) for p in pieces)
    return Pattern(pieces, math.prod(extents, start=Extent()))


def check_length(extent: Extent, text: str) -> None:
    """Refuse names that are too long, before they are made from the text."""
    if extent.longest > LONGEST_NAME:
        raise SpecError(
            f"a name must be at most {LONGEST_NAME:,} bytes; got {extent.longest:,}: "
            f"{format_value(text)}"
        )
    if extent.dividers >= MOST_PARTS:
        raise SpecError(
            f"a name must be at most {MOST_PARTS} parts, with dots or slashes between; "
            f"got {extent.dividers + 1}: {format_value(text)}"
        )


class Reference(Struct, frozen=True):
    """A `stream` or `tied` in pieces: literal text, and indices into the name's braces."""

    pieces: tuple[str | int, ...]

    def fill(self, words: tuple[str, ...]) -> str:
        """The reference of the one name whose braces stand for these words."""
        return "".join(words[piece] if isinstance(piece, int) else piece for piece in self.pieces)


def parse_reference(text: str, braces: tuple[Brace, ...]) -> Reference:
    """The reference in a text, whose braces are those of the name with the same text.

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
    length = 0  # of the longest that it gives
    for literal, piece in split_braces(text):
        if literal:
            pieces.append(piece)
            length += len(piece.encode())
        elif piece not in places:
            raise SpecError(
                f"a brace must be one of the name's own; got {cut(f'{{{piece}}}')} "
                f"in {format_value(text)}",
                hint="write {{ and }} for literal braces",
            )
        else:
            turn = taken.get(piece, 0)
            taken[piece] = turn + 1
            place = places[piece][turn % len(places[piece])]
            pieces.append(place)
            length += braces[place].extent.longest
        if length > LONGEST_NAME:
            raise SpecError(
                f"must be at most {LONGEST_NAME:,} bytes; got more: {format_value(text)}"
            )
    return Reference(tuple(pieces))


def split_braces(text: str) -> Iterator[tuple[bool, str]]:
    """Piece after piece: is it literal, and its text, with `{{` as `{` and `}}` as `}`."""
    braces = 0
    for match in _PIECE.finditer(text):
        left, right, inside, stray, plain = match.groups()
        if stray:
            raise SpecError(
                f"a brace must be closed; got {format_value(text)}",
                hint="write {{ or }} for a literal brace",
            )
        if inside is None:
            yield True, "{" if left else "}" if right else plain
            continue
        braces += 1
        if braces > MOST_BRACES:
            raise SpecError(f"must be at most {MOST_BRACES} braces; got more: {format_value(text)}")
        yield False, inside


def parse_words(
    inside: str, text: str, dims: Mapping[str, int]
) -> tuple[range | tuple[str, ...], Extent]:
    if "," in inside:
        count = inside.count(",") + 1
        if count > MOST_TENSORS:
            raise SpecError(f"must be at most {MOST_TENSORS:,} words in a brace; got {count:,}")
        words = tuple(word.strip() for word in inside.split(","))
        return words, measure(words)
    first, dots, rest = inside.partition("..")
    last, more, by = rest.partition("..")
    step = 1
    try:
        if not dots:
            start, stop = 0, evaluate(inside, dims)
        else:
            start, stop = evaluate(first, dims), evaluate(last, dims) + 1
        if more:
            step = evaluate(by, dims)
    except SpecError as error:
        error.fact = f"brace {cut(f'{{{inside}}}')}: {error.fact}"
        raise
    if dots and stop <= start and _DIM.search(first + last):
        stop = start  # a model of few blocks may have none of a kind
    elif stop < start + bool(dots):
        start = -1
    if start < 0:
        raise SpecError(
            "a brace must be {n} with n of at least 0, or {a..b} with 0 ≤ a ≤ b; "
            f"got {{{inside}}} in {format_value(text)}"
        )
    if step < 1:
        raise SpecError(
            "the step of a brace {a..b..step} must be at least 1; "
            f"got {{{inside}}} in {format_value(text)}"
        )
    return range(start, stop, step), measure_range(start, stop, step)
