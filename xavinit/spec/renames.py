"""Maps between the names of two files: `h.{n}.w=layers/{n}/kernel:T` → a rename with axes.

Names have braces as in a spec. `{n}` stands for any text without dots or slashes, the same on both
sides; `{0..11}` and `{weight,bias}` for these alone. A brace of the right side is the one of the
left with the same text, or else the next list of the left that is as long: its words in turn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from xavinit.errors import SpecError
from xavinit.spec.names import LONGEST_NAME, parse_words, split_braces
from xavinit.wording import format_value

_AXES = re.compile(r"(.*):(T|transpose|\d+(?:,\d+)+)", re.DOTALL)
MOST_BRACES_OF_A_MAP = 8  # each may be tried at every place of a name
MOST_WORDS_OF_A_MAP = 10_000  # in a brace

_WORD = re.compile(r"[A-Za-z_]\w*")


class Rename(Struct, frozen=True):
    """A map: the names of A that it takes, and what they are called in B.

    `axes` are those of B's tensor in the order in which A has them; empty: all reversed; None: as
    they are.
    """

    text: str
    pattern: re.Pattern[str]
    pieces: tuple[str | tuple[int, Mapping[str, str] | None], ...]  # of B's name
    axes: tuple[int, ...] | None

    def apply(self, name: str) -> str | None:
        """The name in B, or None where the map is not for this name."""
        match = self.pattern.fullmatch(name)
        if match is None:
            return None
        return "".join(
            piece if isinstance(piece, str) else _translate(match[piece[0] + 1], piece[1])
            for piece in self.pieces
        )

    def find_axes(self, rank: int) -> tuple[int, ...] | None:
        """The axes of a tensor of this rank; `SpecError` where they are not those of one."""
        if self.axes is None:
            return None
        axes = self.axes or tuple(reversed(range(rank)))
        if sorted(axes) != list(range(rank)):
            raise SpecError(
                f"the axes of a map must be those of the tensor; got {format_value(self.text)} "
                f"for a tensor with {rank}"
            )
        return axes


def _translate(word: str, words: Mapping[str, str] | None) -> str:
    return word if words is None else words[word]


class _Brace(Struct, frozen=True):
    """A brace: its text, and the words that it stands for; None of any."""

    text: str
    words: tuple[str, ...] | None


def parse_rename(text: str) -> Rename:
    """The map in a text, `A_NAME=B_NAME` or `A_NAME=B_NAME:AXES`.

    AXES is `T` (or `transpose`), all axes reversed, or such as `3,2,0,1`: the axes of B's tensor in
    the order in which A has them, as for `numpy.transpose`.

    >>> rename = parse_rename("h.{n}.{weight,bias}=layers/{n}/{kernel,bias}")
    >>> rename.apply("h.11.weight"), rename.apply("h.1.2.weight")
    ('layers/11/kernel', None)
    """
    left, equals, right = text.partition("=")
    if not (left and equals and right) or "=" in right:
        raise SpecError(
            f"a map must be A_NAME=B_NAME or A_NAME=B_NAME:AXES; got {format_value(text)}"
        )
    if max(len(left), len(right)) > LONGEST_NAME:
        raise SpecError(f"a name must be at most {LONGEST_NAME:,} bytes; got {format_value(text)}")
    axes: tuple[int, ...] | None = None
    if (found := _AXES.fullmatch(right)) is not None:
        right = found[1]
        digits = found[2].split(",")
        axes = () if len(digits) == 1 else tuple(map(int, digits))
        if sorted(axes) != list(range(len(axes))):
            raise SpecError(
                f"the axes of a map must be 0 … n−1, each once; got {format_value(found[2])}"
            )
    pieces = _parse_side(left)
    braces = [piece for piece in pieces if isinstance(piece, _Brace)]
    linked = _link(braces, _parse_side(right), text)
    return Rename(text, re.compile("".join(map(_make_regex, pieces)), re.DOTALL), linked, axes)


def _parse_side(text: str) -> list[str | _Brace]:
    pieces: list[str | _Brace] = []
    for is_literal, piece in split_braces(text):
        if is_literal:
            pieces.append(piece)
        elif _WORD.fullmatch(piece):
            pieces.append(_Brace(piece, None))
        else:
            words, _ = parse_words(piece, text, {})
            if len(words) > MOST_WORDS_OF_A_MAP:
                raise SpecError(
                    f"a brace of a map must be at most {MOST_WORDS_OF_A_MAP:,} words; "
                    f"got {len(words):,}"
                )
            pieces.append(_Brace(piece, tuple(map(str, words))))
    if sum(isinstance(piece, _Brace) for piece in pieces) > MOST_BRACES_OF_A_MAP:
        raise SpecError(
            f"a name of a map must be at most {MOST_BRACES_OF_A_MAP} braces; "
            f"got {format_value(text)}"
        )
    return pieces


def _make_regex(piece: str | _Brace) -> str:
    if isinstance(piece, str):
        return re.escape(piece)
    if piece.words is None:
        return "([^./]+)"
    return f"({'|'.join(map(re.escape, sorted(piece.words, key=len, reverse=True)))})"


def _link(
    braces: list[_Brace], right: list[str | _Brace], text: str
) -> tuple[str | tuple[int, Mapping[str, str] | None], ...]:
    """The right side's pieces, each brace with the number of its own on the left."""
    free = list(range(len(braces)))
    linked: list[str | tuple[int, Mapping[str, str] | None]] = []
    wanted = [piece.text for piece in right if isinstance(piece, _Brace)]
    for piece in right:
        if isinstance(piece, str):
            linked.append(piece)
            continue
        same = [n for n in range(len(braces)) if braces[n].text == piece.text]
        place = next((n for n in same if n in free), same[0] if same else None)
        words = None
        if place is None and piece.words is not None:
            alike = (n for n in free if braces[n].text not in wanted)
            place = next((n for n in alike if _is_as_long(braces[n], piece)), None)
            if place is not None:
                words = dict(zip(braces[place].words or (), piece.words, strict=True))
        if place is None:
            raise SpecError(
                f"a brace must be on both sides of a map; got {format_value(text)}",
                hint="{n} is any text without dots or slashes; {{ and }} are literal braces",
            )
        if place in free:
            free.remove(place)
        linked.append((place, words))
    if free:
        raise SpecError(
            f"a brace must be on both sides of a map; got {format_value(text)}",
            hint="or all its names in A would have one name in B",
        )
    return tuple(linked)


def _is_as_long(one: _Brace, other: _Brace) -> bool:
    return one.words is not None and other.words is not None and len(one.words) == len(other.words)
